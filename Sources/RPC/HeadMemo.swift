/// Caches what was derived from a request head, for identical heads that follow on the same
/// connection.
///
/// All that may differ between heads with the same memo is the value of `grpc-timeout`.
///
/// Guard: touched on one loop only, that of the connection the head came on.
package final class HeadMemo: @unchecked Sendable {
  /// What a handler found out.
  @exclusivity(unchecked) package var finding: (any AnyObject & Sendable)?
  /// What a connection made of it to send it.
  @exclusivity(unchecked) package var outbound: (any AnyObject & Sendable)?
  /// What a handler keeps for other heads of the same connection: each takes it over from the one
  /// before.
  @exclusivity(unchecked) package var kept: (any AnyObject & Sendable)?

  /// - Parameter last: Of the head that came before on the connection.
  package init(after last: HeadMemo? = nil) { kept = last?.kept }
}

extension HeadMemo: Hashable {
  /// It says nothing of a head that its fields do not say.
  package static func == (a: HeadMemo, b: HeadMemo) -> Bool { true }

  package func hash(into hasher: inout Hasher) {}
}
