// The operations that calls and raw exchanges share.
extension Exchange {
  /// Runs `body` on the exchange's loop, and switches to it if the caller is elsewhere.
  @usableFromInline
  package func onLoop<Result: Sendable>(
    _ body: () async throws -> Result
  ) async rethrows -> Result {
    // A task that runs on the loop prefers it already.
    if loop.isCurrent { return try await body() }
    return try await withTaskExecutorPreference(loop) { try await body() }
  }

  /// Queues body bytes and suspends while the queue is full. Safe to call from any task.
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

  /// Sends the outcome of a call; nil is OK. The only place where an outcome takes its wire form.
  /// Call on the loop.
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

  /// Sends gRPC's response head with initial metadata. Call on the loop.
  package func sendResponseHead(_ headers: Metadata, compression: MessageEncoding? = nil) {
    if headers.isEmpty, compression == nil { return sendHead(.grpc) }
    var fields = HeaderList()
    fields.add(":status", "200")
    fields.add("content-type", "application/grpc")
    if let compression { fields.add("grpc-encoding", compression.rawValue) }
    fields.add(contentsOf: headers.list)
    sendHead(.fields(fields))
  }
}
