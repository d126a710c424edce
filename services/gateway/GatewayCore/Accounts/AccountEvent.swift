import Storage

/// Events of the gateway's own feed, by which every replica forgets what it knows.
enum AccountEvent {
  /// A session is stored as version 1, of which there is no event, and changes once: it ends.
  static let endedSessionVersion: Int64 = 2

  /// Tells every replica to read an account, a partner with its keys, or a session anew.
  ///
  /// - Parameter version: Of what changed, from now on.
  static func changed(_ name: String, version: Int64) -> OutboxEvent {
    OutboxEvent(entity: name, version: version, kind: "account.changed", payload: [])
  }
}
