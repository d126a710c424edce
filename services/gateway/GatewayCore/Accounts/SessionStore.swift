import GatewayV1
import GoogleProtobuf
import ServiceKit
import Storage
import YijiaTypeV1

/// A session, as stored: by the hash of its token, without the token itself.
struct StoredSession: Sendable, Hashable {
  var id: String
  var sha256: [UInt8]
  /// The kind of account: staff or member.
  var kind: CallerKind
  /// Identifier of the account.
  var account: String
  /// Microseconds since 1970.
  var createdAt: Int64
  /// Time of last use in microseconds since 1970, with a resolution of a minute.
  var usedAt: Int64
  /// Idle timeout, in microseconds.
  var idle: Int64
  /// Absolute expiry, in microseconds since 1970.
  var expiresAt: Int64

  var name: String { "sessions/\(id)" }

  /// Resource name of the account.
  var subject: String { (kind == .staff ? "staff/" : "members/") + account }

  /// When the session ends unless it is used again.
  var endsAt: Int64 { min(expiresAt, usedAt + idle) }

  /// The resource of the contract; `current` is the name of the calling session.
  func message(current: String?) -> Session {
    var session = Session()
    session.name = name
    session.subject = subject
    session.createTime = Timestamp(microseconds: createdAt)
    session.useTime = Timestamp(microseconds: usedAt)
    session.expireTime = Timestamp(microseconds: expiresAt)
    session.current = name == current
    return session
  }
}

extension StoredSession {
  /// Creates a new session.
  init(
    _ id: String, token: Secret, of kind: CallerKind, _ account: String,
    _ lifetime: SessionLifetime, at now: Int64
  ) {
    self.init(
      id: id, sha256: token.sha256, kind: kind, account: account, createdAt: now, usedAt: now,
      idle: lifetime.idle * 1_000_000, expiresAt: now + lifetime.whole * 1_000_000)
  }
}

/// The timeouts of sessions.
struct SessionLifetime: Sendable, Hashable {
  /// Idle timeout, in seconds.
  let idle: Int64
  /// Absolute timeout, in seconds.
  let whole: Int64

  /// A working day; an unattended desk is not signed in for long (NIST SP 800-63B, 4.2.3: 30
  /// minutes and 12 hours).
  static let staff = SessionLifetime(idle: 1_800, whole: 43_200)
  /// A member's own phone (NIST SP 800-63B, 4.1.3: 30 days).
  static let member = SessionLifetime(idle: 7 * 86_400, whole: 30 * 86_400)
}

/// The SQL of sessions.
enum SessionStore {
  /// Sessions per list.
  static let listMax = 100

  private static let columns = """
    id, token_sha256, kind, account_id, created_at, used_at, idle, expires_at
    """

  static func byID(_ id: String) -> Query<StoredSession?> {
    .first("SELECT \(columns) FROM session WHERE id = ?1 AND ended_at IS NULL", [id], session)
  }

  /// Returns the valid sessions of an account, newest first.
  static func held(by account: String, at now: Int64) -> Query<[StoredSession]> {
    .all(
      """
      SELECT \(columns) FROM session
      WHERE account_id = ?1 AND ended_at IS NULL AND expires_at > ?2 AND used_at + idle > ?2
      ORDER BY created_at DESC, id LIMIT \(listMax)
      """, [account, now], session)
  }

  static func insert(_ session: StoredSession, into commit: inout Commit) {
    commit.run(
      """
      INSERT INTO session (
        id, token_sha256, kind, account_id, created_at, used_at, idle, expires_at)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
      """,
      [
        session.id, session.sha256, Int64(session.kind.rawValue), session.account,
        session.createdAt, session.usedAt, session.idle, session.expiresAt,
      ], expects: .exactly(1))
  }

  /// Ends one session.
  static func end(_ session: StoredSession, at now: Int64, in commit: inout Commit) {
    commit.run(
      "UPDATE session SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL", [session.id, now],
      expects: .exactly(1))
    commit.emit(
      AccountEvent.changed(session.name, version: AccountEvent.endedSessionVersion))
  }

  /// Ends all sessions of an account but one. The account's event notifies the replicas.
  static func endAll(
    of account: String, but id: String = "", at now: Int64, in commit: inout Commit
  ) {
    commit.run(
      "UPDATE session SET ended_at = ?3 WHERE account_id = ?1 AND id <> ?2 AND ended_at IS NULL",
      [account, id, now])
  }

  /// Stores times of last use.
  static func used(_ times: [String: Int64], in commit: inout Commit) {
    for (id, time) in times.sorted(by: { $0.key < $1.key }) {
      commit.run("UPDATE session SET used_at = ?2 WHERE id = ?1 AND used_at < ?2", [id, time])
    }
  }

  /// Deletes the sessions that expired before an instant.
  static func forgetOld(before time: Int64, in commit: inout Commit) {
    commit.run("DELETE FROM session WHERE expires_at < ?1", [time])
  }

  @Sendable private static func session(_ row: Row) throws -> StoredSession {
    StoredSession(
      id: try row.text("id"), sha256: try row.blob("token_sha256"),
      kind: CallerKind(rawValue: try row.int32("kind")), account: try row.text("account_id"),
      createdAt: try row.integer("created_at"), usedAt: try row.integer("used_at"),
      idle: try row.integer("idle"),
      expiresAt: try row.integer("expires_at"))
  }
}
