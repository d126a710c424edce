import Foundation
import Metrics
import Storage
import Synchronization

/// Limits the text messages that a gateway has sent to all phones together: each costs money, and
/// anybody may request one for any phone, from as many addresses as they have. A token bucket,
/// which outlives a configuration.
///
/// Safe to use from any task.
final class MessageBudget: Sendable {
  /// The state of the bucket, see ``RateBucket``.
  private let fullAt = Atomic<Int64>(0)
  private let limited = Counter(
    label: "gateway.member_codes", dimensions: [("outcome", "limited")])

  private static func bucket(_ perHour: Int) -> RateBucket {
    RateBucket(callsPerSecond: Double(perHour) / 3_600, burst: perHour)
  }

  /// Takes a message.
  ///
  /// - Parameter perHour: The messages of an hour, which may also be sent at once; nil for no
  ///   limit.
  /// - Throws: ``AccountFailure/codeLimit(_:)`` where none is left.
  func take(_ perHour: Int?, at now: Date) throws(AccountFailure) {
    guard let bucket = perHour.map(Self.bucket) else { return }
    var state = fullAt.load(ordering: .relaxed)
    while true {
      switch bucket.take(fullAt: state, now: now.microseconds * 1_000) {
      case .none(let wait):
        limited.increment()
        throw .codeLimit(.nanoseconds(wait))
      case .token(let next, _):
        let (exchanged, current) = fullAt.compareExchange(
          expected: state, desired: next, ordering: .relaxed)
        if exchanged { return }
        state = current
      }
    }
  }

  /// Gives back a message that was taken and surely not sent.
  func giveBack(_ perHour: Int?) {
    guard let bucket = perHour.map(Self.bucket) else { return }
    fullAt.subtract(bucket.interval, ordering: .relaxed)
  }
}
