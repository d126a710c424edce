/// Caches what was derived from a request head, for identical heads that follow on the same
/// connection.
///
/// Heads with the same memo differ at most in the value of `grpc-timeout`.
///
/// Guard: touched on one loop only, that of the connection the head came on.
package final class HeadMemo: @unchecked Sendable {
  /// What a handler derived from the head.
  @exclusivity(unchecked) package var finding: (any AnyObject & Sendable)?
  /// The outbound form of the head, as derived by a client connection.
  @exclusivity(unchecked) package var outbound: (any AnyObject & Sendable)?
  /// What a handler keeps across the heads of a connection: each memo inherits it from the previous
  /// one.
  @exclusivity(unchecked) package var kept: (any AnyObject & Sendable)?

  /// Creates a memo that inherits `kept`.
  /// - Parameter last: The memo of the previous head on the connection.
  package init(after last: HeadMemo? = nil) { kept = last?.kept }
}

extension HeadMemo: Hashable {
  /// Always true: a memo adds nothing to the identity of a head.
  package static func == (a: HeadMemo, b: HeadMemo) -> Bool { true }

  package func hash(into hasher: inout Hasher) {}
}
