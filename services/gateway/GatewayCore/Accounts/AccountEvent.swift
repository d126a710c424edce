import Storage

/// Events of the gateway's own feed, which invalidate the replicas' caches.
enum AccountEvent {
  /// The version of an ended session. A session is stored as version 1, without an event, and its
  /// end is its only change.
  static let endedSessionVersion: Int64 = 2

  /// The event that makes every replica read an account, a partner with its credentials, or a
  /// session again.
  ///
  /// - Parameter version: The entity's version after the change.
  static func changed(_ name: String, version: Int64) -> OutboxEvent {
    OutboxEvent(entity: name, version: version, kind: "account.changed", payload: [])
  }
}
