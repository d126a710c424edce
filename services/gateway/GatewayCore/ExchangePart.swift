import RPC

/// What has arrived on an exchange since the last read. Reading and passing it on in one step, a
/// call with short messages changes threads once each way.
struct ExchangePart: Sendable {
  /// The response head; nil in parts of a request, whose head came before.
  var head: HeaderList?
  var body: [UInt8] = []
  /// Whether the peer has half-closed and everything it sent has been read.
  var isEnd = false
  /// The trailers of a response; a request has none.
  var trailers: HeaderList?

  var isEmpty: Bool { head == nil && body.isEmpty && !isEnd }

  /// Whether the head is all there is: a Trailers-Only response.
  var isHeadOnly: Bool { head != nil && isEnd && body.isEmpty && trailers == nil }

  /// The part without its end and trailers; nil if the part is headers only.
  var withoutEnd: ExchangePart? {
    guard !isHeadOnly else { return nil }
    var rest = self
    rest.isEnd = false
    rest.trailers = nil
    return rest
  }

  /// Whether the response is UNAVAILABLE and nothing else, by a gRPC status or by HTTP's 502 to
  /// 504, and without retry pushback, which is meant for the caller.
  var isRefusal: Bool {
    guard let head, head.count > 0 else { return false }
    if isHeadOnly, head["grpc-status"] == "14" { return head["grpc-retry-pushback-ms"] == nil }
    // Every response passes here, so its first field, `:status`, is compared in place.
    if head.withValue(at: 0, { $0.equals("200") }) { return false }
    return head[":status"].map { ["502", "503", "504"].contains($0) } ?? false
  }
}

extension Inbox {
  /// Returns what has arrived, which may be nothing. On the loop.
  ///
  /// - Parameter expectsHead: Whether the head is still to be read, before anything else.
  func takePart(expectsHead: Bool) throws(RPCError) -> ExchangePart {
    var part = ExchangePart()
    if expectsHead {
      part.head = head
      if part.head == nil {
        if let failure { throw failure }
        return part
      }
    }
    do {
      part.body = try takeChunk() ?? []
    } catch {
      throw error as? RPCError ?? RPCError(.internalError, "\(error)")
    }
    part.isEnd = isAtEnd
    if part.isEnd { part.trailers = trailers }
    return part
  }

  /// Returns what has arrived of a request, which may be nothing. On the loop.
  ///
  /// Trailers are dropped: gRPC has none in a request, and in them a caller could send what
  /// ``InwardHead`` drops from its head.
  func takeRequestPart() throws(RPCError) -> ExchangePart {
    var part = try takePart(expectsHead: false)
    part.trailers = nil
    return part
  }

  /// Returns the next part of a request, without trailers, suspending until there is one. Only from
  /// a task that prefers the loop.
  func nextRequestPart() async throws(RPCError) -> ExchangePart {
    var part = try await nextPart(expectsHead: false)
    part.trailers = nil
    return part
  }

  /// Returns the next part, suspending until there is one. Only from a task that prefers the loop.
  func nextPart(expectsHead: Bool) async throws(RPCError) -> ExchangePart {
    while true {
      let part = try takePart(expectsHead: expectsHead)
      if !part.isEmpty { return part }
      try await wait()
    }
  }
}

extension Exchange {
  /// Queues a part for sending. On the loop.
  func send(_ part: ExchangePart) {
    if let head = part.head {
      sendHead(.fields(head), endsStream: part.isHeadOnly)
      if part.isHeadOnly { return }
    }
    if !part.body.isEmpty { sendBody(part.body) }
    if part.isEnd { sendEnd(part.trailers.map { .fields($0) } ?? .none) }
  }

  /// Whether more of a request is to be read for it: not while its queue is full, and not once it
  /// is closed, since the request may have to be sent again elsewhere. On the loop.
  var takesMore: Bool { isWritable && !state.isClosed }

  /// Suspends until it takes more. On the loop.
  ///
  /// - Throws: `CancellationError`, also when it is closed.
  func waitToTakeMore() async throws(CancellationError) {
    try await waitUntilWritable()
    if !takesMore { throw CancellationError() }
  }

  /// Sends a part and suspends while the outbound queue is full. From any task.
  ///
  /// - Throws: `CancellationError`.
  func pass(_ part: ExchangePart) async throws {
    try await onLoop {
      send(part)
      if !part.isEnd { try await waitUntilWritable() }
    }
  }
}
