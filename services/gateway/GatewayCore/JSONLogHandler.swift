public import Foundation
public import Logging
import Synchronization

/// Writes each event as one line of JSON, for programs to read.
public struct JSONLogHandler: LogHandler {
  /// Where lines go; several tasks may call it at a time.
  public typealias Sink = @Sendable (String) -> Void

  public var metadata: Logger.Metadata = [:]
  public var logLevel = Logger.Level.info
  public var metadataProvider: Logger.MetadataProvider?
  private let label: String
  private let now: @Sendable () -> Date
  private let sink: Sink

  /// - Parameters:
  ///   - now: The time that lines bear.
  ///   - sink: By default standard output.
  public init(
    label: String, now: @escaping @Sendable () -> Date,
    sink: @escaping Sink = JSONLogHandler.standardOutput
  ) {
    self.label = label
    self.now = now
    self.sink = sink
  }

  /// One write a line: lines of several tasks never mix.
  public static let standardOutput: Sink = { line in
    try? FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8))
  }

  /// RFC 3339 in UTC, with milliseconds.
  private static let timeFormat = Date.ISO8601FormatStyle(
    includingFractionalSeconds: true, timeZone: .gmt)

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    var line = "{\"time\":\"\(now().formatted(Self.timeFormat))\""
    Self.append("level", event.level.rawValue, to: &line)
    Self.append("log", label, to: &line)
    Self.append("message", event.message.description, to: &line)
    var facts = metadata
    if let provided = metadataProvider?.get() { facts.merge(provided) { $1 } }
    if let own = event.metadata { facts.merge(own) { $1 } }
    for (key, value) in facts.sorted(by: { $0.key < $1.key }) {
      Self.append(key, value.description, to: &line)
    }
    sink(line + "}")
  }

  private static func append(_ key: String, _ value: String, to line: inout String) {
    line += ","
    quote(key, into: &line)
    line += ":"
    if isNumber(value) { line += value } else { quote(value, into: &line) }
  }

  /// Whole numbers stay numbers.
  private static func isNumber(_ text: String) -> Bool {
    text == "0"
      || (1...18).contains(text.utf8.count) && text.utf8.first != UInt8(ascii: "0")
        && text.utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
  }

  /// A JSON string (RFC 8259, section 7).
  private static func quote(_ text: String, into line: inout String) {
    line += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": line += "\\\""
      case "\\": line += "\\\\"
      case "\n": line += "\\n"
      case "\r": line += "\\r"
      case "\t": line += "\\t"
      case _ where scalar.value < 0x20:
        let hex = String(scalar.value, radix: 16)
        line += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: line.unicodeScalars.append(scalar)
      }
    }
    line += "\""
  }
}
