import RPC
import ServiceKit

/// Derives the request head sent to a service from the caller's: without credentials and hop-by-hop
/// fields, with the caller token.
enum InwardHead {
  /// Prefix of the fields that only the gateway may set: a caller that sends one could impersonate
  /// another.
  private static let ownPrefix: StaticString = "yijia-"
  /// The number of a call's earlier attempts. Source: gRFC A6.
  private static let attemptsName = "grpc-previous-rpc-attempts"

  /// - Parameters:
  ///   - token: The signed caller token in base64, if the service takes one.
  ///   - trace: Replaces the caller's trace context; nil passes the caller's on.
  ///   - facts: Further fields for the gateway's own services.
  static func make(
    from head: RequestHead, token: String?, trace: TraceContext? = nil,
    facts: [(name: String, value: String)] = []
  ) -> RequestHead {
    let fields = head.fields
    let names = fields.bytes.span.bytes
    var kept: [HeaderList.Field] = []
    kept.reserveCapacity(fields.count)
    for field in fields.fields {
      let name = names.extracting(field.nameRange)
      if isDropped(name) || trace != nil && isTrace(name) { continue }
      kept.append(field)
    }
    var inward = HeaderList(sharing: fields, fields: kept)
    inward.add("te", "trailers")
    if let token { inward.add(callerTokenMetadata, token) }
    if let trace {
      inward.add("traceparent", trace.parent)
      if !trace.state.isEmpty { inward.add("tracestate", trace.state) }
    }
    for fact in facts { inward.add(fact.name, fact.value) }
    return RequestHead(fields: inward)
  }

  /// Returns the head of one attempt: with the number of earlier attempts, the caller's own
  /// included, and the remaining time of its deadline, shortened a little (``Deadline/shaved()``).
  static func attempt(
    _ head: RequestHead, _ deadline: Deadline?, previous: Int = 0
  ) -> RequestHead {
    var head = head
    if previous > 0 {
      var fields = head.fields
      let before = fields[attemptsName].flatMap { UInt16($0) } ?? 0
      fields.set(attemptsName, String(Int(before) + previous))
      head = RequestHead(fields: fields)
    }
    return deadline.map { head.adding(timeout: $0.shaved().remaining) } ?? head
  }

  private static func isTrace(_ name: RawSpan) -> Bool {
    name.equals("traceparent") || name.equals("tracestate")
  }

  /// Whether a field is dropped: credentials, hop-by-hop fields (RFC 9110, 7.6.1), fields that are
  /// set anew for the next hop, and fields that only the gateway may set.
  static func isDropped(_ name: RawSpan) -> Bool {
    guard name.byteCount > 0 else { return true }
    switch name.unsafeLoad(fromByteOffset: 0, as: UInt8.self) {
    case UInt8(ascii: ":"): return !name.equals(":method") && !name.equals(":path")
    case UInt8(ascii: "a"): return name.equals("authorization")
    case UInt8(ascii: "c"): return name.equals("connection") || name.equals("content-length")
    case UInt8(ascii: "g"): return name.equals("grpc-timeout")
    case UInt8(ascii: "h"): return name.equals("host")
    case UInt8(ascii: "k"): return name.equals("keep-alive")
    case UInt8(ascii: "p"): return name.starts(with: "proxy-")
    case UInt8(ascii: "t"):
      return name.equals("te") || name.equals("trailer") || name.equals("transfer-encoding")
    case UInt8(ascii: "u"): return name.equals("upgrade")
    case UInt8(ascii: "x"): return name.equals("x-api-key")
    case UInt8(ascii: "y"): return name.starts(with: ownPrefix)
    default: return false
    }
  }
}
