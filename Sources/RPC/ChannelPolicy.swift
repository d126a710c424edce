/// What a channel does with every call besides carrying it: interceptors, an observer, a service
/// config. A channel that only carries has none.
public final class ChannelPolicy: Sendable {
  /// Around every call, outermost first.
  public let interceptors: [any ClientInterceptor]
  public let observer: (any ClientObserver)?
  public let serviceConfig: ServiceConfig
  private let methods: MethodTable
  let throttle: RetryThrottle?
  let retryBytesMax: Int

  /// - Parameter retryBytesMax: how much of a request a call keeps to send it again; with more it
  ///   is not retried. 256 KiB, gRPC core's default.
  public init(
    interceptors: [any ClientInterceptor] = [], observer: (any ClientObserver)? = nil,
    serviceConfig: ServiceConfig = ServiceConfig(), retryBytesMax: Int = 256 << 10
  ) {
    self.interceptors = interceptors
    self.observer = observer
    self.serviceConfig = serviceConfig
    self.retryBytesMax = retryBytesMax
    methods = MethodTable(serviceConfig.methods)
    throttle = serviceConfig.retryThrottling.map { RetryThrottle($0) }
  }

  func plan(_ method: MethodDescriptor, _ options: CallOptions) -> CallPlan {
    CallPlan(method, options, policy: self, config: methods.config(method))
  }
}

/// A channel with a policy around another: for transports that have none of their own.
struct PolicyChannel: Channel {
  let base: any Channel
  let policy: ChannelPolicy?

  func openExchange<Result: Sendable>(
    _ head: RequestHead, options: ExchangeOptions,
    _ body: (ClientExchange) async throws -> Result
  ) async throws -> Result {
    try await base.openExchange(head, options: options, body)
  }
}

extension Channel {
  /// This channel with that policy in place of its own.
  public func with(_ policy: ChannelPolicy) -> some Channel {
    PolicyChannel(base: self, policy: policy)
  }
}
