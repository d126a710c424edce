/// The server's side of a raw exchange. Safe to use from any task; one reader, one writer.
public struct ServerExchange: Sendable {
  public let head: RequestHead
  package let exchange: Exchange
  package let inbox: Inbox

  package init(head: RequestHead, exchange: Exchange, inbox: Inbox) {
    self.head = head
    self.exchange = exchange
    self.inbox = inbox
  }

  public var peer: Peer { exchange.transport.peer }

  /// The next bytes of the request's body, or nil at its end. What was returned may be sent again
  /// by the client: take no more than can be passed on.
  /// - Throws: `RPCError` when the client gave up or the task is cancelled.
  public func nextChunk() async throws -> [UInt8]? {
    try await exchange.onLoop { try await inbox.nextChunk() }
  }

  /// The request's trailers, after the end; nil when there were none.
  public func trailers() async -> HeaderList? {
    await exchange.onLoop { inbox.trailers }
  }

  /// Sends the response head: `:status` first. With `endsStream` it is the whole answer, as in a
  /// Trailers-Only response.
  public func sendHead(_ head: HeaderList, endsStream: Bool = false) async {
    await exchange.onLoop { exchange.sendHead(.fields(head), endsStream: endsStream) }
  }

  /// Sends body bytes behind the head; suspends while the outbound buffer is full.
  /// - Throws: `RPCError` when the exchange has ended or the task is cancelled.
  public func send(_ chunk: [UInt8]) async throws { try await exchange.send(chunk) }

  /// Ends the response, with trailers or without.
  public func finish(trailers: HeaderList? = nil) async {
    await exchange.onLoop { exchange.sendEnd(trailers.map { .fields($0) } ?? .none) }
  }

  /// Answers with a gRPC status: Trailers-Only when no head was sent yet.
  public func fail(_ error: RPCError) async {
    await exchange.onLoop { exchange.finishCall(error, headers: [:], trailers: [:]) }
  }

  /// Gives the exchange up.
  public func reset(_ code: ResetCode) async {
    await exchange.onLoop { exchange.reset(code) }
  }
}

extension Exchange {
  /// Runs it on the exchange's loop, hopping when the caller is elsewhere.
  package func onLoop<Result: Sendable>(
    _ body: () async throws -> Result
  ) async rethrows -> Result {
    try await withTaskExecutorPreference(loop) { try await body() }
  }

  /// Queues body bytes and waits while the queue is full. From any task.
  package func send(_ bytes: [UInt8]) async throws {
    if loop.isCurrent {
      try queue(bytes)
      if isWritable { return }
      try await onLoop { try await drained() }
    } else {
      try await onLoop {
        try queue(bytes)
        try await drained()
      }
    }
  }

  private func queue(_ bytes: [UInt8]) throws(RPCError) {
    guard !state.isClosed, state.local == .open else {
      throw RPCError(.cancelled, "the call has ended")
    }
    sendBody(bytes)
  }

  private func drained() async throws(RPCError) {
    do {
      try await waitUntilWritable()
    } catch {
      throw RPCError(.cancelled, "the task was cancelled")
    }
    if state.isClosed, state.local != .ended {
      throw RPCError(.cancelled, "the call has ended")
    }
  }

  /// The one point where a call's outcome becomes wire form. Nil is OK.
  package func finishCall(_ error: RPCError?, headers: Metadata, trailers: Metadata) {
    guard !state.isClosed, state.local != .ended else { return }
    let isEarly = state.local == .awaitingHead
    if isEarly, error != nil, headers.isEmpty {
      var only = HeaderList()
      only.add(":status", "200")
      only.add("content-type", "application/grpc")
      StatusFields.append(error, trailers: trailers, to: &only)
      return sendHead(.fields(only), endsStream: true)
    }
    if isEarly { sendResponseHead(headers) }
    if error == nil, trailers.isEmpty { return sendEnd(.grpcOK) }
    var fields = HeaderList()
    StatusFields.append(error, trailers: trailers, to: &fields)
    sendEnd(.fields(fields))
  }

  /// Sends gRPC's response head with initial metadata.
  package func sendResponseHead(_ headers: Metadata) {
    if headers.isEmpty { return sendHead(.grpc) }
    var fields = HeaderList()
    fields.add(":status", "200")
    fields.add("content-type", "application/grpc")
    fields.add(contentsOf: headers.list)
    sendHead(.fields(fields))
  }
}
