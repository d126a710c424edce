import Synchronization

/// Names a value that interceptors attach to a call.
public protocol ContextKey {
  associatedtype Value: Sendable
}

/// What a handler knows of its call. Safe to use from any task.
public final class ServerContext: Sendable {
  private struct State {
    var responseHeaders: Metadata = [:]
    var responseTrailers: Metadata = [:]
    var responseCompression: MessageEncoding?
    var requestWasCompressed = false
    var endsWhenDraining = false
    var values: [(key: ObjectIdentifier, value: any Sendable)] = []
  }

  /// The method that was called.
  public let method: MethodDescriptor
  /// The moment the caller gives up, by its `grpc-timeout`.
  public let deadline: Deadline?
  package let head: RequestHead
  private let transport: any ExchangeTransport
  private let state = Mutex(State())

  package init(
    method: MethodDescriptor, head: RequestHead, deadline: Deadline?,
    transport: any ExchangeTransport
  ) {
    self.method = method
    self.head = head
    self.deadline = deadline
    self.transport = transport
  }

  /// The request's metadata, without HTTP's and gRPC's own headers. Made on each use.
  public var metadata: Metadata { head.metadata }

  /// Who is at the other end, as far as the connection tells.
  public var peer: Peer { transport.peer }

  /// The server stops, or the connection has had its time: what can end soon should.
  public var isDraining: Bool { transport.isDraining }

  /// Says that this call has no end of its own, as feeds and watches have none: when the server
  /// stops the caller gets UNAVAILABLE at once, and the handler is cancelled.
  /// - Throws: UNAVAILABLE when the server stops already.
  public func endWhenDraining() throws(RPCError) {
    state.withLock { $0.endsWhenDraining = true }
    if isDraining { throw Self.shuttingDown }
  }

  package var endsWhenDraining: Bool { state.withLock { $0.endsWhenDraining } }

  package static let shuttingDown = RPCError(.unavailable, "the server is shutting down")

  /// Initial metadata: sent with the first message, or by `ResponseWriter.sendHeaders()`; changes
  /// after that have no effect.
  public var responseHeaders: Metadata {
    get { state.withLock { $0.responseHeaders } }
    set { state.withLock { $0.responseHeaders = newValue } }
  }

  /// Trailing metadata, sent with the status.
  public var responseTrailers: Metadata {
    get { state.withLock { $0.responseTrailers } }
    set { state.withLock { $0.responseTrailers = newValue } }
  }

  /// How the response's messages are compressed, if the client accepts that; nil is not at all.
  /// Goes out with the initial metadata, so changes after the first message have no effect.
  public var responseCompression: MessageEncoding? {
    get { state.withLock { $0.responseCompression } }
    set { state.withLock { $0.responseCompression = newValue } }
  }

  /// Whether the request's one message was compressed. Of a stream of requests see
  /// `RequestStream.lastWasCompressed`.
  public internal(set) var requestWasCompressed: Bool {
    get { state.withLock { $0.requestWasCompressed } }
    set { state.withLock { $0.requestWasCompressed = newValue } }
  }

  /// What was said of the response.
  struct Said {
    let headers: Metadata
    let trailers: Metadata
    let compression: MessageEncoding?
  }

  var said: Said {
    state.withLock {
      Said(
        headers: $0.responseHeaders, trailers: $0.responseTrailers,
        compression: $0.responseCompression)
    }
  }

  /// What interceptors attach: identity, trace, …
  public subscript<Key: ContextKey>(key: Key.Type) -> Key.Value? {
    get {
      let id = ObjectIdentifier(key)
      return state.withLock { $0.values.first { $0.key == id }?.value as? Key.Value }
    }
    set {
      let id = ObjectIdentifier(key)
      state.withLock { state in
        state.values.removeAll { $0.key == id }
        if let newValue { state.values.append((id, newValue)) }
      }
    }
  }
}
