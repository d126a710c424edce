import GatewayV1
import MembersV1
import Protobuf
public import RPC
import StationsV1

/// The descriptors of one service of the suite.
///
/// A new service is one line in ``all``.
public struct Contract: Sendable {
  /// Name of the service: `members`. Caller tokens for it name it as their audience.
  public let audience: String
  /// Every method.
  public let methods: [MethodDescriptor]
  /// The serialized `FileDescriptorSet` with the policies.
  let descriptorSet: [UInt8]
  /// Returns the serialized `FileDescriptorSet` with the comments, which is large and only needed
  /// for documentation: it is not in memory before.
  var comments: @Sendable () -> [UInt8] = { [] }

  /// Full names of the gRPC services.
  var services: Set<String> { Set(methods.map(\.service)) }

  /// The contract of the RPCs that the gateway serves itself.
  public static let own = Contract(
    audience: "gateway", methods: AccountsServiceMethods.all + SessionsServiceMethods.all,
    descriptorSet: GatewayV1Descriptors.fileDescriptorSet,
    comments: { GatewayV1Descriptors.comments })

  /// The contracts of the gateway and of the services behind it.
  public static let all = [
    own,
    Contract(
      audience: "members", methods: MembersServiceMethods.all,
      descriptorSet: MembersV1Descriptors.fileDescriptorSet,
      comments: { MembersV1Descriptors.comments }),
    Contract(
      audience: "stations", methods: StationsServiceMethods.all,
      descriptorSet: StationsV1Descriptors.fileDescriptorSet,
      comments: { StationsV1Descriptors.comments }),
  ]
}
