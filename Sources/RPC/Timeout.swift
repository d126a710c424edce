/// The `grpc-timeout` header: at most eight digits and one of the units H, M, S, m, u, n.
/// Source: gRPC's PROTOCOL-HTTP2, Timeout.
package enum Timeout {
  private static let digitsMax = 8
  private static let largest: Int64 = 99_999_999

  /// Returns the timeout, or nil if it is malformed.
  package static func parse(_ bytes: RawSpan) -> Duration? {
    let digits = bytes.byteCount - 1
    guard digits >= 1, digits <= digitsMax else { return nil }
    var number: Int64 = 0
    for index in 0..<digits {
      let byte = bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      number = number * 10 + Int64(byte - UInt8(ascii: "0"))
    }
    switch bytes.unsafeLoad(fromByteOffset: digits, as: UInt8.self) {
    case UInt8(ascii: "H"): return .seconds(number * 3600)
    case UInt8(ascii: "M"): return .seconds(number * 60)
    case UInt8(ascii: "S"): return .seconds(number)
    case UInt8(ascii: "m"): return .milliseconds(number)
    case UInt8(ascii: "u"): return .microseconds(number)
    case UInt8(ascii: "n"): return .nanoseconds(number)
    default: return nil
    }
  }

  /// Returns the value for a duration, rounded down to a multiple of the finest unit that fits; at
  /// least `1n`.
  package static func format(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    guard seconds > 0 || (seconds == 0 && attoseconds >= 1_000_000_000) else { return "1n" }
    let units: [(name: String, perSecond: Int64)] = [
      ("n", 1_000_000_000), ("u", 1_000_000), ("m", 1000),
    ]
    for unit in units {
      let (whole, overflow) = seconds.multipliedReportingOverflow(by: unit.perSecond)
      let part = attoseconds / (1_000_000_000_000_000_000 / unit.perSecond)
      if !overflow, whole <= largest - part { return "\(whole + part)\(unit.name)" }
    }
    if seconds <= largest { return "\(seconds)S" }
    if seconds / 60 <= largest { return "\(seconds / 60)M" }
    return "\(min(seconds / 3600, largest))H"
  }
}
