import Foundation
import Yams

/// A configuration, key file or start-up condition that is wrong, said so that it can be mended.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// Reads a configuration strictly from a YAML or JSON file over its defaults.
///
/// Every field has a usable default, so a file states only what differs. An unknown key or a wrong
/// type is refused with its path.
///
/// - Parameters:
///   - defaults: The values of what the file does not state.
///   - file: Path of the file; nil for the defaults alone.
///   - section: The key whose value is read, whatever else the file holds; nil for the whole file.
///   - isPart: Whether the file holds more than what is read.
/// - Throws: ``ConfigurationError``.
public func loadConfiguration<Value: Codable & Sendable>(
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
public func parseConfiguration<Value: Codable & Sendable>(
  _ type: Value.Type, defaults: Value, text: String, file: String, section: String? = nil,
  isPart: Bool = false
) throws -> Value {
  let stated: Node
  do {
    let whole = try Yams.compose(yaml: text) ?? emptyMapping
    stated = section.map { whole.mapping?[Node($0)] ?? emptyMapping } ?? whole
  } catch {
    throw ConfigurationError("\(file): \(error)")
  }
  guard stated.mapping != nil || text.isEmpty || stated.scalar?.string == "" else {
    throw ConfigurationError("\(file): the file must be a mapping of keys to values")
  }
  do {
    let base = try composed(defaults)
    let value = try YAMLDecoder().decode(type, from: overlay(stated, on: base))
    let unknown = unknownKeys(in: stated, known: try composed(value), path: "")
    guard unknown.isEmpty || isPart else {
      throw ConfigurationError("\(file): unknown key \(unknown.joined(separator: ", "))")
    }
    return value
  } catch let error as DecodingError {
    throw ConfigurationError("\(file): \(explain(error))")
  }
}

/// A file that states nothing.
private var emptyMapping: Node { .mapping(Node.Mapping([])) }

private func composed<Value: Encodable>(_ value: Value) throws -> Node {
  try Yams.compose(yaml: YAMLEncoder().encode(value)) ?? emptyMapping
}

/// `stated` laid over `base`: mappings merge, everything else replaces.
private func overlay(_ stated: Node, on base: Node) -> Node {
  guard let over = stated.mapping, let under = base.mapping else {
    // A file that states nothing is an empty scalar; anything else in a mapping's place is wrong,
    // and the decoder says where.
    return stated.scalar?.string.isEmpty == true && base.mapping != nil ? base : stated
  }
  var pairs = under.map { ($0.key, $0.value) }
  for (key, value) in over {
    if let index = pairs.firstIndex(where: { $0.0.string == key.string }) {
      pairs[index].1 = overlay(value, on: pairs[index].1)
    } else {
      pairs.append((key, value))
    }
  }
  return Node(pairs)
}

private func unknownKeys(in stated: Node, known: Node, path: String) -> [String] {
  if let stated = stated.mapping {
    return stated.flatMap { key, value -> [String] in
      let name = key.string ?? "?"
      let here = path.isEmpty ? name : "\(path).\(name)"
      guard let next = known.mapping?[key] else { return [here] }
      return unknownKeys(in: value, known: next, path: here)
    }
  }
  if let stated = stated.sequence, let known = known.sequence {
    return zip(stated, known).enumerated().flatMap { index, pair in
      unknownKeys(in: pair.0, known: pair.1, path: "\(path)[\(index)]")
    }
  }
  return []
}

private func explain(_ error: DecodingError) -> String {
  func path(_ context: DecodingError.Context, _ last: (any CodingKey)? = nil) -> String {
    (context.codingPath + (last.map { [$0] } ?? []))
      .map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
  }
  return switch error {
  case .typeMismatch(let type, let context): "\(path(context)): expected \(type)"
  case .valueNotFound(let type, let context): "\(path(context)): expected \(type)"
  case .keyNotFound(let key, let context): "\(path(context, key)): missing"
  case .dataCorrupted(let context): "\(path(context)): \(context.debugDescription)"
  @unknown default: "\(error)"
  }
}
