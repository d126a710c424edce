import Foundation
import Yams

/// A configuration, key file or start-up condition that is wrong, said so that it can be mended.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What is wrong, in one or more lines for an operator.
  public let description: String

  /// Creates the error from that text.
  public init(_ description: String) { self.description = description }
}

/// Settings that say which of their fields are invalid.
public protocol CheckedConfiguration: Codable, Sendable {
  /// Returns the faults of the fields, as `FIELD: what it may be`, for ``Faults``.
  func faults() -> [String]
}

extension CheckedConfiguration {
  /// - Throws: ``ConfigurationError`` naming every invalid field.
  public func validate() throws { try Faults(faults()).check() }
}

/// Reads a configuration strictly from a YAML or JSON file over its defaults.
///
/// Every field has a usable default, so a file states only what differs. Unknown keys and values of
/// a wrong type are refused.
///
/// - Parameters:
///   - defaults: The values of what the file does not state.
///   - file: Path of the file; nil for the defaults alone.
///   - section: The key whose value is read, whatever else the file holds; nil for the whole file.
///   - isPart: Whether the file holds more than what is read.
/// - Throws: ``ConfigurationError`` naming every unknown key, every value of a wrong type and, with
///   them, the faults of the other fields. Where there are none of the first two kinds, the fields
///   are not checked: ``CheckedConfiguration/validate()`` does that.
public func loadConfiguration<Value: CheckedConfiguration>(
  _ type: Value.Type, defaults: Value, file: String?, section: String? = nil, isPart: Bool = false
) throws -> Value {
  guard let file else { return defaults }
  return try parseConfiguration(
    type, defaults: defaults, text: text(of: file), file: file, section: section, isPart: isPart)
}

/// Checks a configuration and the files that it names.
///
/// - Parameters:
///   - file: Path of the configuration's file; nil for the defaults alone.
///   - files: Opens the files that the configuration names, and returns what is wrong with them.
/// - Returns: That the configuration is good, for operators.
/// - Throws: ``ConfigurationError`` naming every key and field that is wrong and, unless the types
///   of values are, every file.
public func checkConfiguration<Value: CheckedConfiguration>(
  _ type: Value.Type, defaults: Value, file: String?, files: (Value) -> [String]
) throws -> String {
  let name = file ?? "the defaults"
  var (value, findings) = (Optional(defaults), ConfigurationDecoder.Findings())
  if let file {
    (value, findings) = try readConfiguration(
      type, defaults: defaults, text: text(of: file), file: file)
  }
  let faults = value.map { $0.faults() + files($0) } ?? []
  guard findings.faults.isEmpty, faults.isEmpty else {
    throw findings.error(in: name, with: faults)
  }
  return "\(name): good"
}

private func text(of file: String) throws -> String {
  guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
    throw ConfigurationError("\(file): cannot be read as UTF-8 text")
  }
  return text
}

/// The same from a text; `file` is what messages call it.
public func parseConfiguration<Value: CheckedConfiguration>(
  _ type: Value.Type, defaults: Value, text: String, file: String, section: String? = nil,
  isPart: Bool = false
) throws -> Value {
  let (value, findings) = try readConfiguration(
    type, defaults: defaults, text: text, file: file, section: section, isPart: isPart)
  if let value, findings.faults.isEmpty { return value }
  let prefix = section.map { "\($0)." } ?? ""
  throw findings.error(in: file, with: (value?.faults() ?? []).map { prefix + $0 })
}

/// Returns what could be read of a configuration, and the unknown keys and values of a wrong type.
private func readConfiguration<Value: CheckedConfiguration>(
  _ type: Value.Type, defaults: Value, text: String, file: String, section: String? = nil,
  isPart: Bool = false
) throws -> (value: Value?, findings: ConfigurationDecoder.Findings) {
  let findings = ConfigurationDecoder.Findings()
  let whole: Node?
  let standard: Node?
  do {
    // The type of a field says what its text means. The resolver of tags and the encoder of Yams
    // would load the tables of ICU for that, 4 MiB in every service. JSON is YAML too.
    whole = try Yams.compose(yaml: text, .basic)
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    standard = try Yams.compose(
      yaml: String(decoding: encoder.encode(defaults), as: UTF8.self), .basic)
  } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
    // The error's own text is the whole file, with what is secret in it.
    let names = keys.sorted().map { "\($0): stated more than once" }.joined(separator: "; ")
    throw ConfigurationError("\(file): \(names) (line \(context.mark.line))")
  } catch {
    throw ConfigurationError("\(file): \(error)")
  }
  guard let whole, !Optional(whole).isNothing else { return (defaults, findings) }
  guard let mapping = whole.mapping else {
    throw ConfigurationError("\(file): the file must be a mapping of keys to values")
  }
  let stated = section.map { mapping.value(of: $0) } ?? whole
  let decoder = ConfigurationDecoder(stated, over: standard, at: section ?? "", findings)
  let value: Value?
  do {
    value = try Value(from: decoder)
  } catch {
    value = nil
    findings.add("\(error)", at: section ?? "", nil)
  }
  if value != nil, !isPart { findings.addUnknownKeys() }
  return (value, findings)
}
