import GRPCHealthV1
import GRPCReflectionV1
import GRPCReflectionV1alpha
import GoogleAPI
import GoogleProtobuf
import GoogleRPC
import GoogleType
import Protobuf
import RPC
import YijiaTypeV1

/// What contracts say of themselves, found by file, symbol or extension. A pure value, built once.
struct ReflectionIndex: Sendable {
  private struct File: Sendable {
    let bytes: [UInt8]
    let dependencies: [String]
  }

  private struct Extension: Hashable, Sendable {
    let type: String
    let number: Int32
  }

  /// The contracts that those of services are made of, and those of the platform itself.
  private static let common = [
    GoogleProtobufDescriptors.fileDescriptorSet, GoogleAPIDescriptors.fileDescriptorSet,
    GoogleRPCDescriptors.fileDescriptorSet, GoogleTypeDescriptors.fileDescriptorSet,
    YijiaTypeV1Descriptors.fileDescriptorSet, GRPCHealthV1Descriptors.fileDescriptorSet,
    GRPCReflectionV1Descriptors.fileDescriptorSet,
    GRPCReflectionV1alphaDescriptors.fileDescriptorSet,
  ]

  private var files: [String: File] = [:]
  /// Symbol to file name.
  private var symbols: [String: String] = [:]
  private var extensions: [Extension: String] = [:]

  /// - Parameter descriptorSets: serialized `FileDescriptorSet`s, beside the common ones.
  /// - Throws: when one is malformed, or imports a file that is in none.
  init(descriptorSets: [[UInt8]]) throws {
    for bytes in Self.common + descriptorSets {
      for file in try FileDescriptorSet(wireBytes: bytes).file { try add(file) }
    }
    for (name, file) in files {
      for needed in file.dependencies where files[needed] == nil {
        throw ConfigurationError("reflection: \(name) imports \(needed), which is not there")
      }
    }
  }

  /// A file and all it imports that `sent` does not name yet, itself first and in any case.
  func closure(ofFile name: String, sent: inout Set<String>) -> [[UInt8]]? {
    guard let first = files[name] else { return nil }
    sent.insert(name)
    var found = [first]
    var index = 0
    while index < found.count {
      for needed in found[index].dependencies {
        guard let file = files[needed], sent.insert(needed).inserted else { continue }
        found.append(file)
      }
      index += 1
    }
    return found.map(\.bytes)
  }

  /// The file that declares a symbol, given by its full name without a leading dot.
  func file(declaring symbol: String) -> String? { symbols[symbol] }

  func file(extending type: String, number: Int32) -> String? {
    extensions[Extension(type: type, number: number)]
  }

  /// The numbers of a type's extensions in order; nil where there is no such type.
  func extensionNumbers(of type: String) -> [Int32]? {
    guard symbols[type] != nil else { return nil }
    return extensions.keys.filter { $0.type == type }.map(\.number).sorted()
  }

  // MARK: - Building

  private mutating func add(_ file: FileDescriptorProto) throws {
    files[file.name] = File(bytes: try file.wireBytes(), dependencies: file.dependency)
    let scope = file.package
    for message in file.messageType { add(message, in: scope, file.name) }
    for type in file.enumType { add(type, in: scope, file.name) }
    for field in file.extension { add(extension: field, in: scope, file.name) }
    for service in file.service {
      let name = add(service.name, in: scope, file.name)
      for method in service.method { add(method.name, in: name, file.name) }
    }
  }

  private mutating func add(_ message: DescriptorProto, in scope: String, _ file: String) {
    let name = add(message.name, in: scope, file)
    for field in message.field { add(field.name, in: name, file) }
    for oneof in message.oneofDecl { add(oneof.name, in: name, file) }
    for nested in message.nestedType { add(nested, in: name, file) }
    for type in message.enumType { add(type, in: name, file) }
    for field in message.extension { add(extension: field, in: name, file) }
  }

  /// An enum's values belong to the scope around it.
  private mutating func add(_ type: EnumDescriptorProto, in scope: String, _ file: String) {
    add(type.name, in: scope, file)
    for value in type.value { add(value.name, in: scope, file) }
  }

  private mutating func add(extension field: FieldDescriptorProto, in scope: String, _ file: String)
  {
    add(field.name, in: scope, file)
    let type = String(field.extendee.drop { $0 == "." })
    extensions[Extension(type: type, number: field.number)] = file
  }

  @discardableResult
  private mutating func add(_ name: String, in scope: String, _ file: String) -> String {
    let full = scope.isEmpty ? name : "\(scope).\(name)"
    symbols[full] = file
    return full
  }
}
