import GoogleAPI
import GoogleProtobuf
import Protobuf
import RPC

/// Properties of a method that its contract states beside the policy.
struct MethodTraits: Sendable, Hashable {
  /// Field number of `google.api.http` in `google.protobuf.MethodOptions`.
  private static let httpRule: UInt32 = 72_295_728

  /// Whether the method may be executed twice: its `idempotency_level` says so, or it is an HTTP
  /// GET (RFC 9110, section 9.2.1), or it takes one request with a `request_id`, by which the
  /// service detects a replay (AIP-155).
  var isIdempotent = false
  /// Whether the method takes one request message, that is, does not stream requests.
  var takesOneMessage = false
  /// Whether the method streams without an end, as feeds and watches do: a server stream whose name
  /// begins with `Watch`. A stopping gateway ends such calls at once.
  var isEndless = false

  /// Returns the traits of every method of a contract, by path.
  /// - Throws: An error where the descriptors cannot be parsed.
  static func all(of contract: Contract) throws -> [String: MethodTraits] {
    let files = try FileDescriptorSet(wireBytes: contract.descriptorSet).file
    var named: Set<String> = []
    for file in files {
      for message in file.messageType where message.field.contains(where: \.isRequestID) {
        named.insert(".\(file.package).\(message.name)")
      }
    }
    var all: [String: MethodTraits] = [:]
    for file in files {
      for service in file.service {
        for method in service.method {
          let isIdempotent =
            try isSafe(method) || !method.clientStreaming && named.contains(method.inputType)
          all["/\(file.package).\(service.name)/\(method.name)"] = MethodTraits(
            isIdempotent: isIdempotent, takesOneMessage: !method.clientStreaming,
            isEndless: method.serverStreaming && method.name.hasPrefix("Watch"))
        }
      }
    }
    return all
  }

  private static func isSafe(_ method: MethodDescriptorProto) throws -> Bool {
    guard let options = method.options else { return false }
    switch options.idempotencyLevel {
    case .noSideEffects, .idempotent: return true
    default: break
    }
    let rule = try options.unknownFields.message(HttpRule.self, extension: httpRule)
    if case .get? = rule?.pattern { return true }
    return false
  }
}

extension FieldDescriptorProto {
  fileprivate var isRequestID: Bool { name == "request_id" }
}
