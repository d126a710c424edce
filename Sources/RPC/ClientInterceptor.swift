import Synchronization

/// Code around every call of a client: tracing, credentials, logging. The counterpart of
/// `ServerInterceptor`; given to a channel, outermost first.
public protocol ClientInterceptor: Sendable {
  /// Calls `next` once to go on, or throws instead.
  ///
  /// Before `next` the call's options may be changed. `next` returns when the call has ended with
  /// OK and throws its status otherwise, for streams too: there it lasts as long as the stream, in
  /// a task of its own. What is thrown here is what the caller gets, at the end of the stream if
  /// that has begun.
  func intercept(_ context: ClientContext, next: () async throws -> Void) async throws
}

/// What interceptors know of a client's call. Safe to use from any task.
public final class ClientContext: Sendable {
  private struct State {
    var options: CallOptions
    var responseHeaders: Metadata?
    var responseTrailers: Metadata?
  }

  /// The method that is called.
  public let method: MethodDescriptor
  private let state: Mutex<State>

  package init(method: MethodDescriptor, options: CallOptions) {
    self.method = method
    state = Mutex(State(options: options))
  }

  /// What the call is made with; changes count before `next`.
  public var options: CallOptions {
    get { state.withLock { $0.options } }
    set { state.withLock { $0.options = newValue } }
  }

  /// The request's metadata; changes count before `next`.
  public var metadata: Metadata {
    get { state.withLock { $0.options.metadata } }
    set { state.withLock { $0.options.metadata = newValue } }
  }

  /// The initial metadata of a call with one response, after `next`.
  public internal(set) var responseHeaders: Metadata? {
    get { state.withLock { $0.responseHeaders } }
    set { state.withLock { $0.responseHeaders = newValue } }
  }

  /// The trailing metadata of a call with one response, after `next`. A failed call's is in its
  /// error.
  public internal(set) var responseTrailers: Metadata? {
    get { state.withLock { $0.responseTrailers } }
    set { state.withLock { $0.responseTrailers = newValue } }
  }
}
