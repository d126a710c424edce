public import Tracing

/// Where a span stands in a trace, as it goes from process to process.
/// Source: W3C, "Trace Context" (2021): `traceparent` and `tracestate`.
public struct TraceContext: Sendable, Hashable {
  /// 16 bytes, not all zero.
  public let traceID: TraceID
  /// The span that is the parent of what comes next; not zero.
  public let spanID: UInt64
  /// Whether whoever began the trace records it.
  public let isSampled: Bool
  /// What other systems on the way noted, passed on as it came; empty where there is none.
  public let state: String

  /// The longest `tracestate` that is passed on: what W3C asks for at least.
  private static let stateBytesMax = 512

  /// Creates the place of a span in a trace; neither identifier may be zero.
  public init(traceID: TraceID, spanID: UInt64, isSampled: Bool, state: String = "") {
    self.traceID = traceID
    self.spanID = spanID
    self.isSampled = isSampled
    self.state = state
  }

  /// Nil where `parent` is no `traceparent`; a bad `state` is dropped.
  public init?(parent: String, state: String?) {
    let bytes = Array(parent.utf8)
    let dash = UInt8(ascii: "-")
    // version "-" trace-id "-" parent-id "-" flags; a later version may go on behind a dash.
    guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
      let version = UInt64(hex: bytes[0..<2]), version != 0xff,
      bytes.count == 55 || (version > 0 && bytes[55] == dash),
      let high = UInt64(hex: bytes[3..<19]), let low = UInt64(hex: bytes[19..<35]),
      let span = UInt64(hex: bytes[36..<52]), let flags = UInt64(hex: bytes[53..<55]),
      high | low != 0, span != 0
    else { return nil }
    let state = state ?? ""
    let isSound =
      state.utf8.count <= Self.stateBytesMax
      && state.utf8.allSatisfy { (0x20...0x7e).contains($0) }
    self.init(
      traceID: TraceID(high: high, low: low), spanID: span, isSampled: flags & 1 == 1,
      state: isSound ? state : "")
  }

  /// The value of `traceparent`.
  public var parent: String { "00-\(traceID)-\(spanID.hex)-\(isSampled ? "01" : "00")" }
}

/// A trace's identifier: 32 lower-case hex digits as text.
public struct TraceID: Sendable, Hashable, CustomStringConvertible {
  /// The first eight bytes, big-endian.
  public let high: UInt64
  /// The last eight bytes, big-endian.
  public let low: UInt64

  /// Creates an identifier of 16 bytes, in two big-endian halves.
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  public var description: String { high.hex + low.hex }
}

extension TraceContext {
  private enum Key: InstrumentationContextKey {
    typealias Value = TraceContext
    static var nameOverride: String? { "trace" }
  }

  /// The one of a context.
  public static func of(_ context: InstrumentationContext) -> TraceContext? { context[Key.self] }

  /// The one of the running task.
  public static var current: TraceContext? { InstrumentationContext.current?[Key.self] }

  /// Puts it into a context.
  func put(into context: inout InstrumentationContext) { context[Key.self] = self }
}

extension UInt64 {
  /// Lower-case hex only, as W3C wants it.
  fileprivate init?(hex digits: ArraySlice<UInt8>) {
    var value: UInt64 = 0
    for digit in digits {
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digit - 0x30)
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(digit - 0x57)
      default: return nil
      }
    }
    self = value
  }

  /// 16 digits.
  var hex: String {
    let digits = String(self, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
