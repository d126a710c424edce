/// What a channel does with every call besides carrying it. Nil in a channel that only carries.
public final class ChannelPolicy: Sendable {
  /// Around every call, outermost first.
  public let interceptors: [any ClientInterceptor]
  public let observer: (any ClientObserver)?

  public init(
    interceptors: [any ClientInterceptor] = [], observer: (any ClientObserver)? = nil
  ) {
    self.interceptors = interceptors
    self.observer = observer
  }
}
