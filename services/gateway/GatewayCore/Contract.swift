import GatewayV1
import MembersV1
import Protobuf
public import RPC
import StationsV1

/// A service of the suite as the gateway knows it: by its contract.
///
/// A new service is one line in ``all``.
public struct Contract: Sendable {
  /// Name of the service: `members`. Caller tokens for it name it as their audience.
  public let audience: String
  /// Every method.
  public let methods: [MethodDescriptor]
  /// The serialized `FileDescriptorSet` with the policies.
  let descriptorSet: [UInt8]
  /// The serialized `FileDescriptorSet` with the comments.
  var comments: [UInt8] = []

  /// Full names of its services.
  var services: Set<String> { Set(methods.map(\.service)) }

  /// What the gateway serves itself.
  public static let own = Contract(
    audience: "gateway", methods: AccountsServiceMethods.all + SessionsServiceMethods.all,
    descriptorSet: GatewayV1Descriptors.fileDescriptorSet,
    comments: GatewayV1Descriptors.comments)

  /// The services behind this gateway, and itself.
  public static let all = [
    own,
    Contract(
      audience: "members", methods: MembersServiceMethods.all,
      descriptorSet: MembersV1Descriptors.fileDescriptorSet,
      comments: MembersV1Descriptors.comments),
    Contract(
      audience: "stations", methods: StationsServiceMethods.all,
      descriptorSet: StationsV1Descriptors.fileDescriptorSet,
      comments: StationsV1Descriptors.comments),
  ]
}
