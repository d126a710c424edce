import RPC
import ServiceKit

/// The request head as a service gets it: what the caller sent, less what was meant for the gateway
/// alone, plus who calls.
enum InwardHead {
  /// What is the gateway's to say inwards. A caller that sends such a field could pass for another.
  private static let ownPrefix: StaticString = "yijia-"

  /// - Parameters:
  ///   - token: The signed caller token in base64, if the service takes one.
  ///   - trace: In place of the caller's own; nil leaves that.
  ///   - facts: What only the gateway's own services are told.
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

  /// The head of one attempt: with how many went before (gRFC A6), and with what is left of the
  /// caller's time, of which the service gets a little less (``Deadline/shaved()``).
  static func attempt(
    _ head: RequestHead, _ deadline: Deadline?, previous: Int = 0
  ) -> RequestHead {
    var head = head
    if previous > 0 {
      var fields = head.fields
      fields.add("grpc-previous-rpc-attempts", String(previous))
      head = RequestHead(fields: fields)
    }
    return deadline.map { head.adding(timeout: $0.shaved().remaining) } ?? head
  }

  private static func isTrace(_ name: RawSpan) -> Bool {
    name.equals("traceparent") || name.equals("tracestate")
  }

  /// Whether a field ends here: credentials, what belongs to one hop (RFC 9110, 7.6.1), what is
  /// said anew for the next one, and what only the gateway may say.
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
