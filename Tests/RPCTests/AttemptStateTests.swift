import Testing

@testable import RPC

@Suite("Attempts of a call")
struct AttemptStateTests {
  private static let retry = RetryPolicy(
    attemptsMax: 3, initialBackoff: .milliseconds(100), maxBackoff: .milliseconds(150),
    backoffMultiplier: 2, retryableCodes: [.unavailable])
  private static let hedging = HedgingPolicy(
    attemptsMax: 3, hedgingDelay: .milliseconds(10), nonFatalCodes: [.unavailable])

  private static func failed(
    _ attempt: Int, _ code: RPCError.Code = .unavailable,
    pushback: AttemptFailure.Pushback = .none, progress: AttemptFailure.Progress = .unknown,
    throttled: Bool = false
  ) -> AttemptState.Input {
    .failed(
      attempt,
      AttemptFailure(RPCError(code, "no"), pushback: pushback, progress: progress),
      isThrottled: throttled, random: 0.5)
  }

  @Test("without a policy the first failure is the call's")
  func once() {
    var state = AttemptState(.once)
    #expect(state.firstSchedule == nil)
    #expect(state.apply(Self.failed(1)) == .settle(1))
    #expect(state.isSettled)
  }

  @Test("a call that no server processed is sent again at once, and only once")
  func transparent() {
    var state = AttemptState(.once)
    #expect(state.apply(Self.failed(1, progress: .unprocessed)) == .start(previous: 0, next: nil))
    #expect(state.apply(Self.failed(2, progress: .unprocessed)) == .settle(2))
  }

  @Test("a call that never left is sent again as often as that happens, and may still be refused")
  func unsent() {
    var state = AttemptState(.once)
    for attempt in 1...9 {
      #expect(
        state.apply(Self.failed(attempt, progress: .unsent)) == .start(previous: 0, next: nil))
    }
    #expect(state.apply(Self.failed(10, progress: .unprocessed)) == .start(previous: 0, next: nil))
    #expect(state.apply(Self.failed(11, progress: .unsent)) == .start(previous: 0, next: nil))
    #expect(state.apply(Self.failed(12, progress: .unprocessed)) == .settle(12))
  }

  @Test("each retry's backoff is longer, up to the maximum, until the attempts are used up")
  func backoff() {
    var state = AttemptState(.retry(Self.retry))
    #expect(state.apply(Self.failed(1)) == .schedule(.milliseconds(100)))
    #expect(state.apply(.due(isThrottled: false)) == .start(previous: 1, next: nil))
    #expect(state.apply(Self.failed(2)) == .schedule(.milliseconds(150)))
    #expect(state.apply(.due(isThrottled: false)) == .start(previous: 2, next: nil))
    #expect(state.apply(Self.failed(3)) == .settle(3))
  }

  @Test("there are at most five attempts, whatever the policy says")
  func fiveAtMost() {
    var policy = Self.retry
    policy.attemptsMax = 100
    var state = AttemptState(.retry(policy))
    for attempt in 1...4 {
      guard case .schedule = state.apply(Self.failed(attempt)) else {
        Issue.record("attempt \(attempt) was not followed")
        return
      }
      #expect(state.apply(.due(isThrottled: false)) == .start(previous: attempt, next: nil))
    }
    #expect(state.apply(Self.failed(5)) == .settle(5))
  }

  @Test("a factor of any size leads to the maximum at most")
  func largeFactor() {
    var policy = Self.retry
    for factor in [1e300, .infinity] {
      policy.backoffMultiplier = factor
      #expect(policy.backoff(0, random: 0.5) == .milliseconds(100))
      #expect(policy.backoff(4, random: 0.5) == .milliseconds(150))
    }
  }

  @Test("of several pushbacks none is a time to wait")
  func repeatedPushback() {
    let name = RPCError.pushbackName
    #expect(AttemptFailure.Pushback([name: "5"]) == .after(.milliseconds(5)))
    #expect(AttemptFailure.Pushback([name: "5", name: "6"]) == .stop)
    #expect(AttemptFailure.Pushback(["x": "5"]) == .none)
  }

  @Test("the jitter is 20 % either way")
  func jitter() {
    #expect(Self.retry.backoff(0, random: 0) == .milliseconds(80))
    #expect(Self.retry.backoff(0, random: 0.5) == .milliseconds(100))
    #expect(Self.retry.backoff(0, random: 1) == .milliseconds(120))
  }

  @Test("a server's pushback sets the delay and resets the backoff; a negative one ends the call")
  func pushback() {
    var state = AttemptState(.retry(Self.retry))
    #expect(state.apply(Self.failed(1, pushback: .after(.seconds(7)))) == .schedule(.seconds(7)))
    #expect(state.apply(.due(isThrottled: false)) == .start(previous: 1, next: nil))
    #expect(state.apply(Self.failed(2)) == .schedule(.milliseconds(100)))
    var stopped = AttemptState(.retry(Self.retry))
    #expect(stopped.apply(Self.failed(1, pushback: .stop)) == .settle(1))
  }

  @Test("other codes and an empty throttle end the call")
  func notRetried() {
    var state = AttemptState(.retry(Self.retry))
    #expect(state.apply(Self.failed(1, .internalError)) == .settle(1))
    var throttled = AttemptState(.retry(Self.retry))
    #expect(throttled.apply(Self.failed(1, throttled: true)) == .settle(1))
  }

  @Test("hedges follow each other by the delay until one is answered")
  func hedges() {
    var state = AttemptState(.hedge(Self.hedging))
    #expect(state.firstSchedule == .milliseconds(10))
    #expect(
      state.apply(.due(isThrottled: false)) == .start(previous: 1, next: .milliseconds(10)))
    #expect(state.apply(.due(isThrottled: false)) == .start(previous: 2, next: nil))
    #expect(state.apply(.due(isThrottled: false)) == .none)
    #expect(state.apply(Self.failed(2)) == .none)
    #expect(state.apply(.answered(3)) == .settle(3))
  }

  @Test("a non-fatal failure of a hedge starts the next at once; a fatal one ends the call")
  func hedgeFailures() {
    var state = AttemptState(.hedge(Self.hedging))
    #expect(state.apply(Self.failed(1)) == .start(previous: 1, next: .milliseconds(10)))
    #expect(state.apply(Self.failed(2, .internalError)) == .settle(2))
  }

  @Test("the last hedge to fail is the call's failure")
  func hedgesAllFail() {
    var state = AttemptState(.hedge(Self.hedging))
    _ = state.apply(.due(isThrottled: false))
    _ = state.apply(.due(isThrottled: false))
    #expect(state.apply(Self.failed(3)) == .none)
    #expect(state.apply(Self.failed(1)) == .none)
    #expect(state.apply(Self.failed(2)) == .settle(2))
  }

  @Test("a pushback delays the next hedge, and a throttle that empties meanwhile ends the call")
  func hedgePushback() {
    var state = AttemptState(.hedge(Self.hedging))
    #expect(state.apply(Self.failed(1, pushback: .after(.seconds(1)))) == .schedule(.seconds(1)))
    #expect(state.apply(.due(isThrottled: true)) == .settle(1))
    var stopped = AttemptState(.hedge(Self.hedging))
    _ = stopped.apply(.due(isThrottled: false))
    #expect(stopped.apply(Self.failed(2, pushback: .stop)) == .none)
    #expect(stopped.apply(.due(isThrottled: false)) == .none)
    #expect(stopped.apply(Self.failed(1)) == .settle(1))
  }

  @Test("inputs after a call is settled have no effect, in every state")
  func settled() {
    for rule: MethodConfig.Execution in [.once, .retry(Self.retry), .hedge(Self.hedging)] {
      for input in Self.inputs {
        var state = AttemptState(rule)
        _ = state.apply(.answered(1))
        #expect(state.apply(input) == .none)
      }
    }
  }

  @Test("any sequence makes at most five attempts and one transparent retry, and the call settles")
  func walk() {
    for rule: MethodConfig.Execution in [.once, .retry(Self.retry), .hedge(Self.hedging)] {
      // Every sequence of six inputs.
      let inputs = Self.inputs
      var states: Set<AttemptState> = [AttemptState(rule)]
      for _ in 0..<6 {
        states = Set(
          states.flatMap { state in
            inputs.map { input in
              var next = state
              _ = next.apply(input)
              return next
            }
          })
      }
      #expect(states.allSatisfy { $0.count <= RetryPolicy.attemptsLimit + 1 })
      #expect(states.contains { $0.isSettled })
    }
  }

  private static let inputs: [AttemptState.Input] = [
    .answered(1), .due(isThrottled: false), .due(isThrottled: true), failed(1), failed(2),
    failed(1, .internalError), failed(1, progress: .unprocessed), failed(1, throttled: true),
    failed(1, pushback: .stop), failed(1, pushback: .after(.seconds(1))),
  ]

  @Test("a failure costs a token if it could be retried, or if its server forbids that")
  func tokens() {
    let failure = { AttemptFailure(RPCError($0, "no"), pushback: $1) }
    for rule in [MethodConfig.Execution.once, .retry(Self.retry), .hedge(Self.hedging)] {
      let state = AttemptState(rule)
      #expect(state.costsToken(failure(.unavailable, .none)) == (rule != .once))
      #expect(!state.costsToken(failure(.notFound, .none)))
      #expect(state.costsToken(failure(.notFound, .stop)))
    }
  }

  @Test("a response that puts back more tokens than there are fills the throttle")
  func largeRatio() {
    let throttle = RetryThrottle(RetryThrottling(tokensMax: 10, tokenRatio: 1e300))
    for _ in 0..<10 { throttle.failed() }
    throttle.succeeded()
    for _ in 0..<4 { throttle.failed() }
    #expect(throttle.isOpen)
    throttle.failed()
    #expect(!throttle.isOpen)
  }

  @Test("a throttle stops retries at half of its tokens; responses refill it")
  func throttle() {
    let throttle = RetryThrottle(RetryThrottling(tokensMax: 4, tokenRatio: 0.5))
    throttle.failed()
    #expect(throttle.isOpen)
    throttle.failed()
    #expect(!throttle.isOpen)
    throttle.succeeded()
    #expect(throttle.isOpen)
    for _ in 0..<100 { throttle.failed() }
    for _ in 0..<4 { throttle.succeeded() }
    #expect(!throttle.isOpen)
    throttle.succeeded()
    #expect(throttle.isOpen)
  }

  @Test(
    "a pushback is a number of milliseconds; any other value forbids further attempts",
    arguments: [
      ("0", AttemptFailure.Pushback.after(.zero)), ("15", .after(.milliseconds(15))), ("-1", .stop),
      ("", .stop), ("soon", .stop), ("99999999999", .stop),
    ])
  func pushbackHeader(text: String, pushback: AttemptFailure.Pushback) {
    #expect(AttemptFailure.Pushback(["grpc-retry-pushback-ms": text]) == pushback)
    #expect(AttemptFailure.Pushback(HeaderList()) == .none)
  }
}
