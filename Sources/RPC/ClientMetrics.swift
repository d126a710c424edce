internal import Metrics
internal import Synchronization

/// Records the calls of a client as metrics of gRFC A66: `grpc.client.attempt.started`,
/// `.duration`, `.sent_total_compressed_message_size`, `.rcvd_total_compressed_message_size` and
/// `grpc.client.call.duration`, with the labels `grpc.method`, `grpc.target` and, except for the
/// first, `grpc.status`. Set as the observer of a channel. Safe to use from any thread.
public final class ClientMetrics: ClientObserver {
  /// The most methods of one channel that are recorded under their own names; further ones are
  /// `other`. A client calls the methods its code names, but a proxy may forward whatever its
  /// callers make up.
  private static let methodsMax = 1_000

  private final class Meters: Sendable {
    let attempt: CallMeters
    let call: CallMeters

    init(_ method: String, _ target: String, _ factory: any MetricsFactory) {
      let labels = [("grpc.method", method), ("grpc.target", target)]
      attempt = CallMeters(.clientAttempt, labels: labels, factory: factory)
      call = CallMeters(.clientCall, labels: labels, factory: factory)
    }
  }

  private let target: String
  private let factory: any MetricsFactory
  private let known = Mutex<[String: Meters]>([:])

  /// Creates an observer; nil if swift-metrics has no backend, so bootstrap that first.
  /// - Parameter target: The label `grpc.target`: the channel's target URI,
  ///   `dns:///members:9101`, or the name of the service where it has a list of addresses, which
  ///   would be another label value with each change.
  public init?(target: String) {
    guard let factory = CallMeters.factory else { return nil }
    self.target = target
    self.factory = factory
  }

  /// Begins to record a call. Safe to call from any thread.
  public func callStarted(_ method: MethodDescriptor) -> any ClientCallObserver {
    Call(meters(method))
  }

  private func meters(_ method: MethodDescriptor) -> Meters {
    known.withLock { known in
      if let meters = known[method.path] { return meters }
      let hasRoom = known.count < Self.methodsMax
      let path = hasRoom ? method.path : "other"
      if let meters = known[path] { return meters }
      let meters = Meters(CallMeters.label(path: path), target, factory)
      known[path] = meters
      return meters
    }
  }

  /// One call, whose attempts may overlap.
  private final class Call: ClientCallObserver {
    private let meters: Meters
    private let startedAt = ContinuousClock.now
    private let attempts = Mutex<[Int: ContinuousClock.Instant]>([:])

    init(_ meters: Meters) { self.meters = meters }

    func attemptStarted(_ attempt: Int, metadata: inout Metadata) {
      meters.attempt.begin()
      attempts.withLock { $0[attempt] = .now }
    }

    func attemptEnded(_ attempt: Int, _ outcome: AttemptOutcome) {
      guard let begun = attempts.withLock({ $0.removeValue(forKey: attempt) }) else { return }
      meters.attempt.end(
        outcome.error?.code, after: .now - begun, sentBytes: outcome.sentBytes,
        receivedBytes: outcome.receivedBytes)
    }

    func callEnded(_ error: RPCError?) {
      meters.call.end(error?.code, after: .now - startedAt)
    }
  }
}
