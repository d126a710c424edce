import GoogleProtobuf
import Protobuf
public import RPC
public import YijiaTypeV1

/// Who may call which method: read from the `(yijia.type.v1.policy)` options of the contracts, the
/// one source for services, gateway, documentation and tests.
public struct PolicyTable: Sendable {
  /// Field number of the policy extension in `google.protobuf.MethodOptions`.
  private static let policyExtension: UInt32 = 50601

  private var policies: [String: Policy] = [:]

  /// Reads the policies of every method in `descriptorSets` (serialized `FileDescriptorSet`s).
  public init(descriptorSets: [[UInt8]]) throws {
    for bytes in descriptorSets {
      for file in try FileDescriptorSet(wireBytes: bytes).file {
        for service in file.service {
          for method in service.method {
            guard let options = method.options,
              let policy = try options.unknownFields.message(
                Policy.self, extension: Self.policyExtension)
            else { continue }
            policies["/\(file.package).\(service.name)/\(method.name)"] = policy
          }
        }
      }
    }
  }

  /// The policy of a method by its path; nil denies.
  public subscript(path: String) -> Policy? { policies[path] }

  /// Every path with a policy, in order.
  public var paths: [String] { policies.keys.sorted() }

  /// Sets the policy of methods that no contract of ours describes, by the gateway's configuration.
  public mutating func set(_ policy: Policy, path: String) { policies[path] = policy }

  /// Refuses to start with a method that nobody said who may call.
  ///
  /// - Throws: ``ConfigurationError`` naming every such method.
  public func check(_ methods: [MethodDescriptor]) throws {
    let open = methods.map(\.path).filter { policies[$0] == nil }
    guard open.isEmpty else {
      throw ConfigurationError(
        "no policy for \(open.sorted().joined(separator: ", ")): "
          + "add option (yijia.type.v1.policy) to the RPC")
    }
  }

  /// - Throws: ``CommonFailure/callerKind`` or ``CommonFailure/role`` where `caller` may not call
  ///   the method.
  public func authorize(_ caller: Caller, path: String) throws {
    guard let policy = policies[path], policy.callers.contains(caller.kind),
      caller.kind != .unspecified
    else { throw CommonFailure.callerKind }
    switch caller.kind {
    case .staff:
      guard policy.staffRole != .unspecified,
        caller.staffRole.rawValue >= policy.staffRole.rawValue
      else { throw CommonFailure.role }
    case .service:
      guard let name = caller.service, policy.services.contains(name) else {
        throw CommonFailure.callerKind
      }
    default: break
    }
  }
}

/// Lets a call through only where its method's policy allows its caller.
public struct PolicyEnforcement: ServerInterceptor {
  private let table: PolicyTable

  /// - Parameter table: The policies; a method that it lacks is refused to everybody.
  public init(table: PolicyTable) { self.table = table }

  public func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
    try table.authorize(context.caller, path: context.method.path)
    try await next()
  }
}
