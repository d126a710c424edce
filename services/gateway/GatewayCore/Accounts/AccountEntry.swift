import GatewayV1
import RPC
import ServiceKit
import Storage
import YijiaTypeV1

/// The methods that a credential grants, within the policy.
struct Grant: Sendable, Hashable {
  /// Grants everything that the policy allows.
  static let all = Grant(paths: nil)
  /// Grants what an account with a temporary password may call, which another person knows.
  static let temporaryPassword = Grant(
    paths: [SessionsServiceMethods.changePassword.path, SessionsServiceMethods.signOut.path],
    isTemporary: true)

  /// Paths of the methods; nil for all.
  let paths: Set<String>?
  /// Whether the grant is limited until the password is changed.
  private let isTemporary: Bool

  init(paths: Set<String>?, isTemporary: Bool = false) {
    self.paths = paths
    self.isTemporary = isTemporary
  }

  /// Creates the grant of a stored list, where an empty list stands for all methods.
  init(listed paths: some Collection<String>) {
    self.init(paths: paths.isEmpty ? nil : Set(paths))
  }

  /// Returns the methods that both grant.
  func intersection(_ other: Grant) -> Grant {
    guard let paths, let others = other.paths else { return Grant(paths: paths ?? other.paths) }
    return Grant(paths: paths.intersection(others))
  }

  /// - Throws: ``GatewayFailure/methodNotGranted``, ``AccountFailure/passwordTemporary``.
  func check(_ path: String) throws {
    if paths?.contains(path) ?? true { return }
    if isTemporary { throw AccountFailure.passwordTemporary }
    throw GatewayFailure.methodNotGranted
  }
}

/// The kind of a credential, which decides the table to search.
enum CredentialKind: Sendable, Hashable {
  /// A partner's key.
  case key
  /// A partner's certificate, by the hash of its ``CertificateIdentity``.
  case certificate
  /// A session's token.
  case session
  /// An account named by a signed token, which is not a secret of the store. The hash of the
  /// account's name takes the place of the secret's.
  case named(NamedAccount)
}

/// The caller of a credential of the store, as last read.
struct AccountEntry: Sendable {
  let caller: Caller
  let grant: Grant
  /// The partner's own limits, which override the defaults.
  var limits: [LimitSetting] = []
  /// Resource name of the account: its changes invalidate the entry.
  var owner: String { caller.subject }
  /// Absolute expiry of the credential, in microseconds since 1970; `Int64.max` for never.
  let expiresAt: Int64
  /// The use of a session; nil for other credentials.
  var session: Use?

  /// The idle timeout of a session and its last use.
  struct Use: Sendable {
    /// Resource name of the session.
    let name: String
    /// Idle timeout, in microseconds.
    let idle: Int64
    /// Time of last use, in microseconds since 1970.
    var usedAt: Int64
  }

  /// When the credential ends unless it is used again.
  var endsAt: Int64 { min(expiresAt, session.map { $0.usedAt + $0.idle } ?? .max) }

  /// Whether a change of that resource invalidates the entry.
  func isOf(_ name: String) -> Bool { owner == name || session?.name == name }
}

extension CredentialKind {
  /// Returns the caller of an unrevoked credential; nil where there is none. Expired ones are
  /// included.
  func entry(_ hash: CredentialHash) -> Query<AccountEntry?> {
    switch self {
    case .key: partner(hash, in: "partner_key", by: "key_sha256")
    case .certificate: partner(hash, in: "partner_certificate", by: "identity_sha256")
    case .session: session(hash)
    case .named(let account): account.entry
    }
  }

  private func partner(
    _ hash: CredentialHash, in table: String, by column: String
  ) -> Query<AccountEntry?> {
    .first(
      """
      SELECT p.id AS partner_id, p.methods AS partner_methods, p.limits, c.methods, c.expires_at
      FROM \(table) c JOIN partner p ON p.id = c.partner_id
      WHERE c.\(column) = ?1 AND c.revoked_at IS NULL AND p.state = 1
      """, [hash.bytes]
    ) { row in
      AccountEntry(
        caller: Caller(kind: .partner, subject: "partners/\(try row.text("partner_id"))"),
        grant: Grant(listed: MethodList.paths(try row.text("partner_methods")))
          .intersection(Grant(listed: MethodList.paths(try row.text("methods")))),
        limits: try LimitList.settings(try row.text("limits")),
        expiresAt: try row.optionalInteger("expires_at") ?? .max)
    }
  }

  private func session(_ hash: CredentialHash) -> Query<AccountEntry?> {
    .first(
      """
      SELECT s.id, s.kind, s.account_id, s.used_at, s.idle, s.expires_at,
        a.role, a.organization_id, a.is_temporary
      FROM session s
      LEFT JOIN staff_account a ON a.id = s.account_id AND s.kind = \(CallerKind.staff.rawValue)
        AND a.state = 1
      WHERE s.token_sha256 = ?1 AND s.ended_at IS NULL
        AND (a.id IS NOT NULL OR s.kind = \(CallerKind.member.rawValue))
      """, [hash.bytes]
    ) { row in
      let account = try row.text("account_id")
      let isStaff = try row.int32("kind") == CallerKind.staff.rawValue
      let use = AccountEntry.Use(
        name: "sessions/\(try row.text("id"))", idle: try row.integer("idle"),
        usedAt: try row.integer("used_at"))
      let end = try row.integer("expires_at")
      guard isStaff else {
        return AccountEntry(
          caller: Caller(kind: .member, subject: "members/\(account)"), grant: .all,
          expiresAt: end, session: use)
      }
      return AccountEntry(
        caller: Caller(
          kind: .staff, subject: "staff/\(account)",
          organization: try row.text("organization_id"),
          staffRole: StaffRole(rawValue: try row.int32("role"))),
        grant: try row.boolean("is_temporary") ? .temporaryPassword : .all,
        expiresAt: end, session: use)
    }
  }
}

extension NamedAccount {
  /// Takes the place of a secret's hash.
  var hash: CredentialHash? { CredentialHash(of: Array(name.utf8)) }

  /// The account in the store if it is active; nil otherwise. Members are not in the gateway's
  /// store.
  fileprivate var entry: Query<AccountEntry?> {
    switch self {
    case .partner(let id):
      .first("SELECT methods, limits FROM partner WHERE id = ?1 AND state = 1", [id]) { row in
        AccountEntry(
          caller: Caller(kind: .partner, subject: name),
          grant: Grant(listed: MethodList.paths(try row.text("methods"))),
          limits: try LimitList.settings(try row.text("limits")), expiresAt: .max)
      }
    case .staff(let id):
      .first(
        "SELECT role, organization_id FROM staff_account WHERE id = ?1 AND state = 1", [id]
      ) { row in
        AccountEntry(
          caller: Caller(
            kind: .staff, subject: name, organization: try row.text("organization_id"),
            staffRole: StaffRole(rawValue: try row.int32("role"))),
          grant: .all, expiresAt: .max)
      }
    case .member: .constant(nil)
    }
  }
}
