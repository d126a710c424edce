import Foundation
import ProtobufJSON
import Synchronization

/// One line of the log, for programs to read: a JSON object.
struct JSONLine {
  /// Room that most lines find enough.
  private static let usualBytes = 320

  private(set) var bytes: [UInt8] = []

  init() {
    bytes.reserveCapacity(Self.usualBytes)
    bytes.append(UInt8(ascii: "{"))
  }

  mutating func add(_ key: StaticString, _ value: String) {
    begin(key)
    JSONPrinter.quote(value, into: &bytes)
  }

  mutating func add(_ key: StaticString, _ value: Int64) {
    begin(key)
    bytes += String(value).utf8
  }

  /// The whole line, with its end.
  consuming func ended() -> [UInt8] {
    bytes += [UInt8(ascii: "}"), UInt8(ascii: "\n")]
    return bytes
  }

  /// Keys are the program's own and need no quoting.
  private mutating func begin(_ key: StaticString) {
    if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
    bytes.append(UInt8(ascii: "\""))
    key.withUTF8Buffer { bytes += $0 }
    bytes += [UInt8(ascii: "\""), UInt8(ascii: ":")]
  }
}

/// The time of a line: RFC 3339 in UTC, with milliseconds. A second is formatted once.
///
/// Safe to use from any task.
final class LineTime: Sendable {
  private let known = Mutex((second: Int64.min, text: ""))

  func text(of microseconds: Int64) -> String {
    let milliseconds = microseconds / 1_000
    let (second, rest) = milliseconds.quotientAndRemainder(dividingBy: 1_000)
    let text = known.withLock { known in
      if known.second != second {
        let date = Date(timeIntervalSince1970: TimeInterval(second))
        known = (second, String(date.formatted(.iso8601).dropLast()))
      }
      return known.text
    }
    return "\(text).\(rest < 10 ? "00" : rest < 100 ? "0" : "")\(rest)Z"
  }
}
