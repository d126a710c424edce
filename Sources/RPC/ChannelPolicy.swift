/// The policy of a channel: the interceptors, observer and service config that apply to all calls.
public final class ChannelPolicy: Sendable {
  /// The interceptors of every call, outermost first.
  public let interceptors: [any ClientInterceptor]
  /// The observer of calls and attempts, for metrics.
  public let observer: (any ClientObserver)?
  /// The settings by method, retry throttling and load balancing.
  public let serviceConfig: ServiceConfig
  private let methods: MethodTable
  let throttle: RetryThrottle?
  let retryBytesMax: Int

  /// Creates a policy.
  /// - Parameter retryBytesMax: How many bytes of a request a call buffers for further attempts; a
  ///   call that exceeds it is not retried. The default is gRPC core's, 256 KiB.
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

/// A channel that adds a policy to another one, for transports that have none of their own.
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
  /// Returns this channel with `policy` in place of its own.
  public func with(_ policy: ChannelPolicy) -> some Channel {
    PolicyChannel(base: self, policy: policy)
  }
}
