import GoogleProtobuf
import GoogleRPC
import GoogleType
import Protobuf
import RPC
import ServiceKit
import YijiaTypeV1

/// The contracts as documentation needs them: methods with comments, policies and HTTP rules, and
/// every type by name. An immutable value.
struct ContractBook: Sendable {
  /// A gRPC service and its comment.
  struct Service: Sendable {
    /// `yijia.members.v1.MembersService`
    let fullName: String
    let comment: String
    let methods: [Method]

    /// `MembersService`
    var name: String { fullName.split(separator: ".").last.map(String.init) ?? fullName }
  }

  struct Method: Sendable {
    let descriptor: MethodDescriptor
    let comment: String
    let policy: Policy
    let rules: [HTTPRule]
    /// Full name of the request message.
    let input: String
    /// Full name of the response message.
    let output: String

    /// Whether callers other than services may call it.
    var isPublic: Bool { policy.callers.contains { $0 != .service && $0 != .unspecified } }
  }

  struct MessageEntry: Sendable {
    let descriptor: DescriptorProto
    let comment: String
    /// The fields' comments, in declaration order.
    let fieldComments: [String]
  }

  struct EnumEntry: Sendable {
    let descriptor: EnumDescriptorProto
    let comment: String
    let valueComments: [String]
  }

  private(set) var services: [Service] = []
  private(set) var messages: [String: MessageEntry] = [:]
  private(set) var enums: [String: EnumEntry] = [:]

  /// Descriptors that the contracts import, and those of statuses.
  private static let imported = [
    GoogleProtobufDescriptors.fileDescriptorSet, GoogleTypeDescriptors.fileDescriptorSet,
    GoogleRPCDescriptors.fileDescriptorSet, YijiaTypeV1Descriptors.fileDescriptorSet,
  ]

  /// - Throws: ``ConfigurationError`` where a contract's HTTP rule is malformed; `DecodeError`.
  init(_ contracts: [Contract]) throws {
    for set in Self.imported {
      for file in try FileDescriptorSet(wireBytes: set).file { declare(file, Comments()) }
    }
    let policies = try PolicyTable(descriptorSets: contracts.map(\.descriptorSet))
    for contract in contracts {
      let comments = try Comments.byFile(contract.comments())
      let methods = Dictionary(
        contract.methods.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
      for file in try FileDescriptorSet(wireBytes: contract.descriptorSet).file {
        let comments = comments[file.name] ?? Comments()
        declare(file, comments)
        for (index, service) in file.service.enumerated() {
          let name = "\(file.package).\(service.name)"
          let known = try service.method.enumerated().compactMap { place, method -> Method? in
            let path = "/\(name)/\(method.name)"
            guard let descriptor = methods[path], let policy = policies[path] else { return nil }
            return Method(
              descriptor: descriptor, comment: comments[[6, index, 2, place]], policy: policy,
              rules: try HTTPRule.rules(of: method, at: path),
              input: String(method.inputType.dropFirst()),
              output: String(method.outputType.dropFirst()))
          }
          services.append(
            Service(fullName: name, comment: comments[[6, index]], methods: known))
        }
      }
    }
  }

  private mutating func declare(_ file: FileDescriptorProto, _ comments: Comments) {
    for (index, message) in file.messageType.enumerated() {
      declare(message, in: file.package, [4, index], comments)
    }
    for (index, each) in file.enumType.enumerated() {
      declare(each, in: file.package, [5, index], comments)
    }
  }

  private mutating func declare(
    _ message: DescriptorProto, in scope: String, _ path: [Int], _ comments: Comments
  ) {
    let name = "\(scope).\(message.name)"
    messages[name] = MessageEntry(
      descriptor: message, comment: comments[path],
      fieldComments: message.field.indices.map { comments[path + [2, $0]] })
    for (index, inner) in message.nestedType.enumerated() {
      declare(inner, in: name, path + [3, index], comments)
    }
    for (index, inner) in message.enumType.enumerated() {
      declare(inner, in: name, path + [4, index], comments)
    }
  }

  private mutating func declare(
    _ each: EnumDescriptorProto, in scope: String, _ path: [Int], _ comments: Comments
  ) {
    enums["\(scope).\(each.name)"] = EnumEntry(
      descriptor: each, comment: comments[path],
      valueComments: each.value.indices.map { comments[path + [2, $0]] })
  }

  /// The comments of a file, by descriptor path.
  private struct Comments {
    private var texts: [[Int]: String] = [:]

    /// The comment; empty where there is none.
    subscript(path: [Int]) -> String { texts[path] ?? "" }

    static func byFile(_ set: [UInt8]) throws -> [String: Comments] {
      var files: [String: Comments] = [:]
      for file in try FileDescriptorSet(wireBytes: set).file {
        var comments = Comments()
        for location in file.sourceCodeInfo?.location ?? [] {
          comments.texts[location.path.map(Int.init)] = location.leadingComments
        }
        files[file.name] = comments
      }
      return files
    }
  }
}
