import GatewayV1
import GoogleProtobuf
import ServiceKit
import Storage
import YijiaTypeV1

/// A staff account, as stored.
struct StoredStaff: StoredAccount, Hashable {
  static let table = "staff_account"

  var id: String
  /// Incremented by every change, from 1 on.
  var version: Int64
  var userName: String
  var displayName: String
  var role: StaffRole
  /// Identifier of the organization; empty for the whole tree.
  var organization: String
  var state: StaffState
  /// The stored form of a ``PasswordHash``.
  var password: String
  /// Whether another person knows the password.
  var isTemporary: Bool
  /// The authenticator's secret, encrypted; nil where none is enrolled.
  var totp: [UInt8]?
  /// The secret of a pending authenticator, encrypted.
  var totpPending: [UInt8]?
  /// Time step of the last accepted code; a code is accepted only once.
  var totpStep: Int64
  /// Microseconds since 1970.
  var createdAt: Int64
  /// Microseconds since 1970.
  var updatedAt: Int64

  var name: String { "staff/\(id)" }

  /// The resource of the contract.
  var message: StaffAccount {
    var account = StaffAccount()
    account.name = name
    account.userName = userName
    account.displayName = displayName
    account.role = role
    account.organization = organization.isEmpty ? "" : "organizations/\(organization)"
    account.state = state
    account.passwordTemporary = isTemporary
    account.totpEnrolled = totp != nil
    account.createTime = Timestamp(microseconds: createdAt)
    account.updateTime = Timestamp(microseconds: updatedAt)
    return account
  }
}

/// The SQL of staff accounts.
enum StaffStore: AccountStore {
  static let collection = "staff"
  static let notFound = AccountFailure.staffNotFound

  private static let columns = """
    id, version, user_name, display_name, role, organization_id, state, password, is_temporary, \
    totp, totp_pending, totp_step, created_at, updated_at
    """

  static func byID(_ id: String) -> Query<StoredStaff?> {
    .first("SELECT \(columns) FROM staff_account WHERE id = ?1", [id], account)
  }

  static func byUserName(_ name: String) -> Query<StoredStaff?> {
    .first("SELECT \(columns) FROM staff_account WHERE user_name = ?1", [name], account)
  }

  static func page(after id: String, limit: Int) -> Query<[StoredStaff]> {
    .all(
      "SELECT \(columns) FROM staff_account WHERE id > ?1 ORDER BY id LIMIT ?2", [id, limit],
      account)
  }

  static func insert(_ account: StoredStaff, into commit: inout Commit) {
    commit.emit(AccountEvent.changed(account.name, version: account.version))
    commit.run(
      """
      INSERT INTO staff_account (
        id, version, user_name, display_name, role, organization_id, state, password, is_temporary,
        totp_step, created_at, updated_at)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, ?10)
      ON CONFLICT (user_name) DO NOTHING
      """,
      [
        account.id, account.version, account.userName, account.displayName,
        Int64(account.role.rawValue), account.organization, Int64(account.state.rawValue),
        account.password, account.isTemporary, account.createdAt,
      ], expects: .exactly(1))
  }

  /// Guards the commit by the account's version without changing it.
  static func check(_ account: StoredStaff, in commit: inout Commit) {
    commit.run(
      "UPDATE staff_account SET version = ?2 WHERE id = ?1 AND version = ?2",
      [account.id, account.version], expects: .exactly(1))
  }

  /// Stores a change: increments the account's version, which guards what was read of it, and emits
  /// its event.
  static func update(_ account: StoredStaff, at now: Int64, in commit: inout Commit) {
    commit.emit(AccountEvent.changed(account.name, version: account.version + 1))
    commit.run(
      """
      UPDATE staff_account SET version = ?2, state = ?3, password = ?4, is_temporary = ?5,
        totp = ?6, totp_pending = ?7, totp_step = ?8, updated_at = ?9, display_name = ?11,
        role = ?12, organization_id = ?13
      WHERE id = ?1 AND version = ?10
      """,
      [
        account.id, account.version + 1, Int64(account.state.rawValue), account.password,
        account.isTemporary, account.totp, account.totpPending, account.totpStep, now,
        account.version, account.displayName, Int64(account.role.rawValue), account.organization,
      ], expects: .exactly(1))
  }

  /// Stores the secrets re-encrypted; nothing visible changes, so the version stays.
  static func reseal(
    _ account: StoredStaff, totp: [UInt8]?, pending: [UInt8]?, in commit: inout Commit
  ) {
    commit.run(
      "UPDATE staff_account SET totp = ?2, totp_pending = ?3 WHERE id = ?1 AND version = ?4",
      [account.id, totp, pending, account.version], expects: .exactly(1))
  }

  @Sendable private static func account(_ row: Row) throws -> StoredStaff {
    StoredStaff(
      id: try row.text("id"), version: try row.integer("version"),
      userName: try row.text("user_name"), displayName: try row.text("display_name"),
      role: StaffRole(rawValue: try row.int32("role")),
      organization: try row.text("organization_id"),
      state: StaffState(rawValue: try row.int32("state")), password: try row.text("password"),
      isTemporary: try row.boolean("is_temporary"), totp: try row.optionalBlob("totp"),
      totpPending: try row.optionalBlob("totp_pending"), totpStep: try row.integer("totp_step"),
      createdAt: try row.integer("created_at"), updatedAt: try row.integer("updated_at"))
  }
}
