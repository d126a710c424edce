import Synchronization

/// The key of a value that interceptors attach to a call.
public protocol ContextKey {
  /// The type of the attached value.
  associatedtype Value: Sendable
}

/// A call as its handler sees it. Safe to use from any task.
public final class ServerContext: Sendable {
  private struct State {
    var responseHeaders: Metadata = [:]
    var responseTrailers: Metadata = [:]
    var responseCompression: MessageEncoding?
    var requestWasCompressed = false
    var statusWhenDraining: RPCError?
    var earlyEnd: RPCError?
    var values: [(key: ObjectIdentifier, value: any Sendable)] = []
  }

  /// The called method.
  public let method: MethodDescriptor
  /// The caller's deadline, from its `grpc-timeout`.
  public let deadline: Deadline?
  package let head: RequestHead
  private let transport: any ExchangeTransport
  /// What a handler or an interceptor has set; nil for most calls, which set nothing.
  private let state = Mutex<State?>(nil)

  package init(
    method: MethodDescriptor, head: RequestHead, deadline: Deadline?,
    transport: any ExchangeTransport
  ) {
    self.method = method
    self.head = head
    self.deadline = deadline
    self.transport = transport
  }

  /// The request's metadata, without the headers of HTTP and gRPC themselves. Built on each access.
  public var metadata: Metadata { head.metadata }

  /// Decodes a request that is larger than ``MessageFramer/largeBytes``.
  @usableFromInline
  nonisolated(nonsending) func decode<Message: WireMessage>(
    large framed: [UInt8]
  ) async throws -> Message {
    try await transport.largeMessages.run(onBytes: framed.count) {
      try MessageFramer.decode(framed: framed)
    }
  }

  /// The host that the client meant, with or without a port: the request's `:authority`, or its
  /// `host` where an intermediary has left only that. Nil in process, where there is none. It is
  /// the client's word and proves nothing. Read from the head on each access.
  public var authority: String? { head.authority }

  /// The client, as far as the connection identifies it.
  public var peer: Peer { transport.peer }

  /// Whether the server is shutting down or the connection has reached its age limit: end soon if
  /// possible.
  public var isDraining: Bool { transport.isDraining }

  /// Declares that this call has no end of its own, as feeds and watches have none. When the server
  /// drains, the caller then gets UNAVAILABLE at once, and the handler is cancelled.
  /// - Parameter status: The status that the caller gets, if it is to carry details.
  /// - Throws: The status if the server is draining already.
  public func endWhenDraining(with status: RPCError? = nil) throws(RPCError) {
    let status = status ?? Self.shuttingDown
    change { $0.statusWhenDraining = status }
    if isDraining { throw status }
  }

  /// The status with which a drain ends the call at once; nil if the call may finish.
  package var statusWhenDraining: RPCError? { state.withLock { $0?.statusWhenDraining } }

  /// Returns the status that the caller gets if the handler ends now, with `error` or, if it is
  /// nil, well: for what interceptors log and measure. Nil is OK.
  ///
  /// A call that its deadline, its caller or a drain has ended keeps that status, whatever its
  /// handler does afterwards. A caller that is gone counts as CANCELLED.
  public func outcome(of error: (any Error)?) -> RPCError? {
    if let earlyEnd = state.withLock({ $0?.earlyEnd }) { return earlyEnd }
    guard let error else { return nil }
    // A status received from a downstream call is this server's own to the caller.
    if let error = error as? RPCError { return error }
    guard error is CancellationError else { return RPCError(.unknown, "the handler failed") }
    return deadline?.hasPassed == true
      ? .deadlinePassed : RPCError(.cancelled, "the call was cancelled")
  }

  /// Notes that the call has ended before its handler.
  func ended(early status: RPCError) { change { $0.earlyEnd = status } }

  package static let shuttingDown = RPCError(.unavailable, "the server is shutting down")

  /// Initial metadata, sent with the first message or by `ResponseWriter.sendHeaders()`; later
  /// changes have no effect.
  public var responseHeaders: Metadata {
    get { state.withLock { $0?.responseHeaders } ?? [:] }
    set { change { $0.responseHeaders = newValue } }
  }

  /// Trailing metadata, sent with the status.
  public var responseTrailers: Metadata {
    get { state.withLock { $0?.responseTrailers } ?? [:] }
    set { change { $0.responseTrailers = newValue } }
  }

  /// The compression of response messages, applied if the client accepts it; nil does not compress.
  /// It is announced with the initial metadata, so changes after the first message have no effect.
  /// A message is compressed in one piece on the connection's loop, which serves nobody else
  /// meanwhile: not for messages of megabytes.
  public var responseCompression: MessageEncoding? {
    get { state.withLock { $0?.responseCompression } }
    set { change { $0.responseCompression = newValue } }
  }

  /// Whether the single request message was compressed. For a stream of requests see
  /// `RequestStream.lastWasCompressed`.
  public internal(set) var requestWasCompressed: Bool {
    get { state.withLock { $0?.requestWasCompressed } ?? false }
    set { change { $0.requestWasCompressed = newValue } }
  }

  /// The response metadata and compression that the handler has set.
  struct Said {
    let headers: Metadata
    let trailers: Metadata
    let compression: MessageEncoding?
  }

  /// Nil if nothing was set.
  var said: Said? {
    state.withLock { state in
      state.map {
        Said(
          headers: $0.responseHeaders, trailers: $0.responseTrailers,
          compression: $0.responseCompression)
      }
    }
  }

  private func change(_ body: (inout State) -> Void) {
    state.withLock { state in
      var changed = state.take() ?? State()
      body(&changed)
      state = changed
    }
  }

  /// A value that interceptors attached: identity, trace, …
  public subscript<Key: ContextKey>(key: Key.Type) -> Key.Value? {
    get {
      let id = ObjectIdentifier(key)
      return state.withLock { $0?.values.first { $0.key == id }?.value as? Key.Value }
    }
    set {
      let id = ObjectIdentifier(key)
      change { state in
        state.values.removeAll { $0.key == id }
        if let newValue { state.values.append((id, newValue)) }
      }
    }
  }
}
