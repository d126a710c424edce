import ServiceKit
import Storage

/// Re-encrypts authenticators' secrets with the current key of the fields keyring.
///
/// Secrets under the current key are skipped, so a killed run can simply be repeated.
struct AuthenticatorRenewal: Sendable {
  /// Accounts per read; each that needs it is a commit of its own.
  private static let page = 500

  let database: any Database
  let cipher: FieldCipher
  let clock: Clock

  func run(report: TaskReport) async throws {
    var (after, done) = ("", 0)
    while true {
      let accounts = try await database.read(StaffStore.page(after: after, limit: Self.page))
      for account in accounts where try isOutdated(account) { try await renew(account.id) }
      done += accounts.count
      try await report("accounts", done, 0)
      guard let last = accounts.last else { return }
      after = last.id
    }
  }

  private func isOutdated(_ account: StoredStaff) throws -> Bool {
    for sealed in [account.totp, account.totpPending] {
      if let sealed, try cipher.isOutdated(sealed) { return true }
    }
    return false
  }

  /// Re-encrypts one account's secrets; a concurrent change of the account makes it read again.
  private func renew(_ id: String) async throws {
    let now = clock.now
    try await database.write {
      .read(StaffStore.byID(id)) { account in
        guard let account else { return .reply(()) }
        var commit = Commit(at: now)
        StaffStore.reseal(
          account, totp: try sealed(account.totp, "totp", id),
          pending: try sealed(account.totpPending, "totp_pending", id), in: &commit)
        return .commit(commit, ())
      }
    }
  }

  private func sealed(_ old: [UInt8]?, _ column: String, _ id: String) throws -> [UInt8]? {
    guard let old else { return nil }
    let secret = try cipher.open(old, table: StoredStaff.table, column: column, row: id)
    return try cipher.seal(secret, table: StoredStaff.table, column: column, row: id)
  }
}
