import Synchronization

/// Intercepts the calls of a client, for tracing, credentials or logging. The counterpart of
/// `ServerInterceptor`; a channel has a list of interceptors, outermost first.
public protocol ClientInterceptor: Sendable {
  /// Intercepts one call: calls `next` once to continue, or throws to fail the call.
  ///
  /// Before `next`, the call's options may be changed. `next` returns when the call has ended with
  /// OK and throws its status otherwise. For a streaming call this takes as long as the stream, so
  /// the interceptor runs in a task of its own. An error thrown here is what the caller gets, at
  /// the end of the stream if that has begun.
  func intercept(_ context: ClientContext, next: () async throws -> Void) async throws
}

/// A client's call as its interceptors see it. Safe to use from any task.
public final class ClientContext: Sendable {
  private struct State {
    var options: CallOptions
    var responseHeaders: Metadata?
    var responseTrailers: Metadata?
  }

  /// The called method.
  public let method: MethodDescriptor
  private let state: Mutex<State>

  package init(method: MethodDescriptor, options: CallOptions) {
    self.method = method
    state = Mutex(State(options: options))
  }

  /// The options of the call; changes take effect before `next` only.
  public var options: CallOptions {
    get { state.withLock { $0.options } }
    set { state.withLock { $0.options = newValue } }
  }

  /// The metadata of the request; changes take effect before `next` only.
  public var metadata: Metadata {
    get { state.withLock { $0.options.metadata } }
    set { state.withLock { $0.options.metadata = newValue } }
  }

  /// The initial metadata of a unary call, after `next`; nil for streams.
  public internal(set) var responseHeaders: Metadata? {
    get { state.withLock { $0.responseHeaders } }
    set { state.withLock { $0.responseHeaders = newValue } }
  }

  /// The trailing metadata of a unary call, after `next`; nil for streams. That of a failed call is
  /// in its error.
  public internal(set) var responseTrailers: Metadata? {
    get { state.withLock { $0.responseTrailers } }
    set { state.withLock { $0.responseTrailers = newValue } }
  }
}
