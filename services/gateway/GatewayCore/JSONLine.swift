import Foundation
import ProtobufJSON
import Storage
import Synchronization

/// Builds one log line: a JSON object.
struct JSONLine {
  /// Initial capacity, which is enough for most lines.
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
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
      var (rest, start) = (value.magnitude, digits.count)
      repeat {
        start -= 1
        digits[start] = UInt8(ascii: "0") + UInt8(rest % 10)
        rest /= 10
      } while rest > 0
      if value < 0 { bytes.append(UInt8(ascii: "-")) }
      bytes.append(contentsOf: digits[start...])
    }
  }

  /// Adds a time in the format of ``LineTime``.
  mutating func add(_ key: StaticString, _ time: LineTime, _ microseconds: Int64) {
    begin(key)
    bytes.append(UInt8(ascii: "\""))
    time.write(microseconds, to: &bytes)
    bytes.append(UInt8(ascii: "\""))
  }

  /// The fields added so far, each preceded by a comma.
  var fields: [UInt8] { [UInt8(ascii: ",")] + bytes.dropFirst() }

  /// Appends the rendered fields of another line. This line must have at least one field.
  mutating func add(rendered fields: [UInt8]) { bytes += fields }

  /// Returns the complete line with its line break.
  consuming func ended() -> [UInt8] {
    bytes += [UInt8(ascii: "}"), UInt8(ascii: "\n")]
    return bytes
  }

  /// Appends the key. Keys are literals and need no escaping.
  private mutating func begin(_ key: StaticString) {
    if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
    bytes.append(UInt8(ascii: "\""))
    key.withUTF8Buffer { bytes += $0 }
    bytes += [UInt8(ascii: "\""), UInt8(ascii: ":")]
  }
}

/// Formats the time of a line: RFC 3339 in UTC with milliseconds. Caches the last second's text.
///
/// Safe to use from any task.
final class LineTime: Sendable {
  private let known = Mutex((second: Int64.min, text: [UInt8]()))

  /// Appends a time given in microseconds since 1970.
  func write(_ microseconds: Int64, to line: inout [UInt8]) {
    let milliseconds = microseconds / 1_000
    let (second, rest) = milliseconds.quotientAndRemainder(dividingBy: 1_000)
    line += known.withLock { known in
      if known.second != second {
        let date = Date(timeIntervalSince1970: TimeInterval(second))
        known = (second, Array(date.rfc3339.utf8.dropLast()))
      }
      return known.text
    }
    line.append(UInt8(ascii: "."))
    for digit in [rest / 100, rest / 10 % 10, rest % 10] {
      line.append(UInt8(ascii: "0") + UInt8(digit))
    }
    line.append(UInt8(ascii: "Z"))
  }
}
