import GatewayV1
import GoogleProtobuf
import ServiceKit
import Storage
import YijiaTypeV1

/// A session as it is stored: its token is nowhere.
struct StoredSession: Sendable, Hashable {
  /// What every session's token begins with.
  static let tokenPrefix = "yjs_"

  var id: String
  var sha256: [UInt8]
  /// Staff or a member.
  var kind: CallerKind
  /// Identifier of who signed in.
  var account: String
  /// Microseconds since 1970.
  var createdAt: Int64
  /// Microseconds since 1970; to the minute.
  var usedAt: Int64
  /// How long it holds unused, in microseconds.
  var idle: Int64
  /// When it ends however much it is used; microseconds since 1970.
  var expiresAt: Int64

  var name: String { "sessions/\(id)" }

  /// Resource name of who signed in.
  var subject: String { (kind == .staff ? "staff/" : "members/") + account }

  /// When it ends if it is not used any more.
  var endsAt: Int64 { min(expiresAt, usedAt + idle) }

  /// As the contract shows it.
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
  /// A new one.
  init(
    _ id: String, token: Secret, of kind: CallerKind, _ account: String,
    _ lifetime: SessionLifetime, at now: Int64
  ) {
    self.init(
      id: id, sha256: token.sha256, kind: kind, account: account, createdAt: now, usedAt: now,
      idle: lifetime.idle * 1_000_000, expiresAt: now + lifetime.whole * 1_000_000)
  }
}

/// How long sessions hold.
struct SessionLifetime: Sendable, Hashable {
  /// Unused, and in all; seconds.
  let idle: Int64
  let whole: Int64

  /// A working day; a desk left alone is not open for long (NIST SP 800-63B, 4.2.3: 30 minutes and
  /// 12 hours).
  static let staff = SessionLifetime(idle: 1_800, whole: 43_200)
  /// A person's own phone (NIST SP 800-63B, 4.1.3: 30 days).
  static let member = SessionLifetime(idle: 7 * 86_400, whole: 30 * 86_400)
}

/// The SQL of sessions.
enum SessionStore {
  /// Sessions that a list shows.
  static let listMax = 100

  private static let columns = """
    id, token_sha256, kind, account_id, created_at, used_at, idle, expires_at
    """

  static func byID(_ id: String) -> Query<StoredSession?> {
    .first("SELECT \(columns) FROM session WHERE id = ?1 AND ended_at IS NULL", [id], session)
  }

  /// Those of one account that hold, the youngest first.
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
    commit.emit(PartnerStore.changed(session.name, version: 2))
  }

  /// Ends an account's sessions, but one. The account's event tells of it.
  static func endAll(
    of account: String, but id: String = "", at now: Int64, in commit: inout Commit
  ) {
    commit.run(
      "UPDATE session SET ended_at = ?3 WHERE account_id = ?1 AND id <> ?2 AND ended_at IS NULL",
      [account, id, now])
  }

  /// Keeps that sessions were used.
  static func used(_ times: [String: Int64], in commit: inout Commit) {
    for (id, time) in times.sorted(by: { $0.key < $1.key }) {
      commit.run("UPDATE session SET used_at = ?2 WHERE id = ?1 AND used_at < ?2", [id, time])
    }
  }

  /// Forgets those that ended before an instant.
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
