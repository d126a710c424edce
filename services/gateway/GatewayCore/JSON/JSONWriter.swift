import GoogleProtobuf
import GoogleRPC
import Protobuf
import ProtobufJSON
import RPC
import Synchronization

/// Writes one response to a JSON caller. Used by one task at a time, or by its loop.
final class JSONWriter: Sendable {
  private let caller: ServerExchange
  private let codec: JSONCodec
  /// Response fields that are sent whatever the outcome.
  private let fields: HeaderList
  private let stream = Mutex(StreamState())
  /// The inner call's rate limit fields and trace id.
  private let inner = Mutex(HeaderList())

  private struct StreamState {
    /// Format of a response stream that was begun; nil before its head was sent.
    var format: JSONFormat?
    var hasMessages = false
  }

  /// - Parameter fields: Response fields that are sent whatever the outcome.
  init(_ caller: ServerExchange, codec: JSONCodec, fields: HeaderList) {
    self.caller = caller
    self.codec = codec
    self.fields = fields
  }

  /// Copies the rate limit fields and the trace id of the inner call's response head.
  func takeFields(of head: HeaderList) {
    for name in LimitNotice.fieldNames + [TraceField.name] {
      if let value = head[name] { inner.withLock { $0.add(name, value) } }
    }
  }

  /// Writes a unary response. On the caller's loop.
  ///
  /// - Throws: `RPCError` where the message has no JSON form.
  func write(whole wire: [UInt8], of type: MessageType) throws {
    let json = try text(wire, of: type)
    answer(head(200, "application/json", length: json.count), json)
  }

  private func answer(_ head: HeaderList, _ body: [UInt8]) {
    if caller.exchange.omitsBody {
      return caller.exchange.sendHead(.fields(head), endsStream: true)
    }
    caller.exchange.sendHead(.fields(head))
    caller.exchange.sendBody(body)
    caller.exchange.sendEnd(.none)
  }

  /// Writes one message of a response stream.
  func write(_ wire: [UInt8], of type: MessageType, _ format: JSONFormat) async throws {
    let json = try text(wire, of: type)
    await begin(format)
    let isFirst = stream.withLock { state in
      defer { state.hasMessages = true }
      return !state.hasMessages
    }
    switch format {
    case .lines: try await caller.send(Array("{\"result\":".utf8) + json + Array("}\n".utf8))
    case .array: try await caller.send([UInt8(ascii: isFirst ? "[" : ",")] + json)
    case .events:
      let id = cursor(of: wire, type).map { "id: \($0)\n" } ?? ""
      try await caller.send(Array("\(id)data: ".utf8) + json + Array("\n\n".utf8))
    }
  }

  /// Returns a message's cursor, if it has one that fits in a line.
  private func cursor(of wire: [UInt8], _ type: MessageType) -> String? {
    let text = codec.mapping.text(of: JSONFormat.cursor, in: wire, type)
    return text.flatMap { text in
      text.isEmpty || text.utf8.contains { $0 < 0x20 } ? nil : text
    }
  }

  /// Sends the head of a stream in time, even if its service has nothing to say yet, and comments
  /// between events, by which clients and proxies see that the connection works.
  func keepAlive(_ format: JSONFormat, _ pace: JSONPace) async {
    await caller.exchange.onLoop { schedule(format, pace, after: pace.headMax) }
  }

  private func schedule(_ format: JSONFormat, _ pace: JSONPace, after time: Swift.Duration) {
    // The response may be complete while the request is still being read.
    guard caller.exchange.state.local != .ended else { return }
    caller.exchange.setTimer(after: time) { [self] in
      beginNow(format)
      guard format == .events else { return }
      if caller.exchange.isWritable { caller.exchange.sendBody(Array(": keep-alive\n\n".utf8)) }
      schedule(format, pace, after: pace.silenceMax)
    }
  }

  /// Ends a response stream that succeeded.
  func end(_ format: JSONFormat) async throws {
    await caller.exchange.onLoop { caller.exchange.cancelTimer() }
    await begin(format)
    let isEmpty = stream.withLock { !$0.hasMessages }
    if format == .array { try await caller.send(Array((isEmpty ? "[]" : "]").utf8)) }
    await caller.finish()
  }

  /// Ends a response that failed: with an HTTP status before the first message, with a final error
  /// object after it.
  func fail(_ error: RPCError) async {
    let state: StreamState = await caller.exchange.onLoop {
      caller.exchange.cancelTimer()
      let state = stream.withLock { $0 }
      if state.format == nil { fail(whole: error) }
      return state
    }
    guard let format = state.format else { return }
    let status = JSONStatus(error, codec)
    let object = Array("{\"error\":".utf8) + status.json + Array("}".utf8)
    switch format {
    case .lines: try? await caller.send(object + Array("\n".utf8))
    case .array:
      let start = Array((state.hasMessages ? "," : "[").utf8)
      try? await caller.send(start + object + Array("]".utf8))
    case .events:
      try? await caller.send(Array("event: error\ndata: ".utf8) + status.json + Array("\n\n".utf8))
    }
    await caller.finish()
  }

  /// Writes the failure of a response of which nothing was sent. On the caller's loop.
  func fail(whole error: RPCError) {
    let status = JSONStatus(error, codec)
    var head = head(status.httpStatus, "application/json", length: status.json.count)
    head.add(contentsOf: status.fields)
    answer(head, status.json)
  }

  /// Sends the head of a stream unless it was sent.
  func begin(_ format: JSONFormat) async {
    await caller.exchange.onLoop { beginNow(format) }
  }

  /// As `begin`. On the caller's loop.
  private func beginNow(_ format: JSONFormat) {
    let isFirst = stream.withLock { state in
      defer { state.format = format }
      return state.format == nil
    }
    guard isFirst else { return }
    caller.exchange.sendHead(.fields(head(200, format.contentType, length: nil)))
  }

  private func head(_ status: Int, _ type: String, length: Int?) -> HeaderList {
    // Only this caller may see it, and caches know nothing of `x-api-key`.
    var head: HeaderList = [
      ":status": String(status), "content-type": type, "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    ]
    if let length { head.add("content-length", String(length)) }
    head.add(contentsOf: fields)
    head.add(contentsOf: inner.withLock { $0 })
    if head[TraceField.name] == nil, let own = TraceField.id(of: caller.head) {
      head.add(TraceField.name, "\(own)")
    }
    head.addDate()
    return head
  }

  private func text(_ wire: [UInt8], of type: MessageType) throws -> [UInt8] {
    do throws(JSONPrintError) {
      return try codec.mapping.json(fromWire: wire, of: type)
    } catch {
      throw RPCError(.internalError, "the answer has no JSON form: \(error)")
    }
  }
}

/// When a JSON response stream is written to although its service says nothing.
struct JSONPace: Sendable, Hashable {
  /// When its head is sent at the latest, from when its service has the first message. A refused
  /// call has its status long before.
  var headMax: Swift.Duration = .seconds(1)
  /// The time between comments; many proxies close what is silent for a minute.
  var silenceMax: Swift.Duration = .seconds(15)
}

/// The HTTP status and JSON body of a failed call: `google.rpc.Status` with its details.
struct JSONStatus: Sendable {
  let httpStatus: Int
  let json: [UInt8]
  /// `allow`, `accept-encoding`, `retry-after`, `www-authenticate`.
  let fields: HeaderList

  init(_ error: RPCError, _ codec: JSONCodec) {
    var plain = GoogleRPC.Status()
    plain.code = Int32(error.code.rawValue)
    plain.message = error.message
    let whole = error.details.isEmpty ? nil : try? GoogleRPC.Status(wireBytes: error.details)
    // If a detail has an unknown type, all details are left out, but code and message are kept.
    json =
      (whole.flatMap { Self.text($0, codec) }) ?? Self.text(plain, codec)
      ?? Array("{\"code\":\(error.code.rawValue)}".utf8)
    var fields = HeaderList()
    var httpStatus = error.code.httpStatus
    for detail in whole?.details ?? [] {
      if let info = try? detail.unpack(ErrorInfo.self), info.domain == GatewayFailure.domain {
        httpStatus = GatewayFailure.httpStatuses[info.reason] ?? httpStatus
        // RFC 9110, 15.5.6: a 405 response lists the allowed methods.
        if httpStatus == 405, let allowed = info.metadata["allowed"] {
          fields.add("allow", allowed)
        }
        // RFC 9110, 15.5.16: a 415 response lists the supported encodings.
        if info.reason == "CONTENT_ENCODING_UNSUPPORTED" {
          fields.add("accept-encoding", "identity")
        }
      }
      if let info = try? detail.unpack(RetryInfo.self), let delay = info.retryDelay {
        // Whole seconds, at least one: the field has no finer unit. RFC 9110, 10.2.3.
        fields.add("retry-after", String(max(1, delay.seconds + (delay.nanos > 0 ? 1 : 0))))
      }
    }
    if error.code == .unauthenticated { fields.add("www-authenticate", "Bearer") }
    self.fields = fields
    self.httpStatus = httpStatus
  }

  private static func text(_ status: GoogleRPC.Status, _ codec: JSONCodec) -> [UInt8]? {
    guard let wire = try? status.wireBytes() else { return nil }
    return try? codec.mapping.json(fromWire: wire, of: codec.status)
  }
}

extension RPCError.Code {
  /// The HTTP status of the code. Source: google/rpc/code.proto, "HTTP Mapping".
  var httpStatus: Int {
    switch self {
    case .invalidArgument, .failedPrecondition, .outOfRange: 400
    case .unauthenticated: 401
    case .permissionDenied: 403
    case .notFound: 404
    case .alreadyExists, .aborted: 409
    case .resourceExhausted: 429
    case .cancelled: 499
    case .unimplemented: 501
    case .unavailable: 503
    case .deadlineExceeded: 504
    case .unknown, .internalError, .dataLoss: 500
    }
  }
}
