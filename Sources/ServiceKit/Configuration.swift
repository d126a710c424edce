import Foundation
import Yams

/// A configuration, key file or start-up condition that is wrong, said so that it can be mended.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
  public let description: String

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
  guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
    throw ConfigurationError("\(file): cannot be read as UTF-8 text")
  }
  return try parseConfiguration(
    type, defaults: defaults, text: text, file: file, section: section, isPart: isPart)
}

/// The same from a text; `file` is what messages call it.
public func parseConfiguration<Value: CheckedConfiguration>(
  _ type: Value.Type, defaults: Value, text: String, file: String, section: String? = nil,
  isPart: Bool = false
) throws -> Value {
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
  } catch {
    throw ConfigurationError("\(file): \(error)")
  }
  guard let whole, !Optional(whole).isNothing else { return defaults }
  guard let mapping = whole.mapping else {
    throw ConfigurationError("\(file): the file must be a mapping of keys to values")
  }
  let findings = ConfigurationDecoder.Findings()
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
  if let value, findings.faults.isEmpty { return value }
  let prefix = section.map { "\($0)." } ?? ""
  let others = (value?.faults() ?? []).map { prefix + $0 }.filter { !findings.cover($0) }
  throw ConfigurationError("\(file): " + (findings.texts + others).joined(separator: "; "))
}
