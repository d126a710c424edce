import Foundation
public import GatewayV1
import QRCode
public import RPC
import ServiceKit
import Storage

extension SessionsService {
  /// Changes the caller's password and ends all other sessions of the account.
  public func changePassword(
    _ request: ChangePasswordRequest, context: ServerContext
  ) async throws -> ChangePasswordResponse {
    let session = try session(context)
    let now = store.clock.now
    let (account, guess) = try await proven(request.password, context, at: now)
    var checks = FieldChecks()
    checks.newPassword(
      request.newPassword, "new_password", not: [request.password, account.userName])
    try checks.finish()
    let hash = try await store.passwords.hash(
      request.newPassword, salt: store.ids.bytes(PasswordHash.saltBytes)
    ).text
    let codes = GuessKeys.codes(store.hasher, of: account.userName)
    try await change(account, "change_password", at: now) { after, commit in
      after.password = hash
      after.isTemporary = false
      SessionStore.endAll(of: account.id, but: session, at: now.microseconds, in: &commit)
      GuessStore.forget(guess, in: &commit)
      // Whoever guessed at them knew the password before.
      GuessStore.forgetCodes(codes, in: &commit)
    }
    return ChangePasswordResponse()
  }

  /// Generates a secret for an authenticator, which is pending until it is confirmed.
  public func enrollTotp(
    _ request: EnrollTotpRequest, context: ServerContext
  ) async throws -> EnrollTotpResponse {
    _ = try session(context)
    let now = store.clock.now
    let (account, guess) = try await proven(request.password, context, at: now)
    guard account.totp == nil else { throw AccountFailure.totpEnrolled }
    let code = OneTimePassword(secret: store.ids.bytes(OneTimePassword.secretBytes))
    let sealed = try store.cipher.seal(
      code.secret, table: StoredStaff.table, column: "totp_pending", row: account.id)
    try await change(account, "enroll_totp", at: now) { after, commit in
      after.totpPending = sealed
      GuessStore.forget(guess, in: &commit)
    }
    var response = EnrollTotpResponse()
    response.secret = Base32.encode(code.secret)
    response.uri = code.uri(account: account.userName)
    response.uriSvg = try Symbol(response.uri).svg()
    return response
  }

  /// Activates the pending authenticator, whose codes sign-in requires from then on.
  public func confirmTotp(
    _ request: ConfirmTotpRequest, context: ServerContext
  ) async throws -> ConfirmTotpResponse {
    _ = try session(context)
    let now = store.clock.now
    let id = try account(context)
    guard let account = try await store.database.read(StaffStore.byID(id)),
      let pending = account.totpPending
    else { throw AccountFailure.noTOTP }
    let secret = try store.cipher.open(
      pending, table: StoredStaff.table, column: "totp_pending", row: id)
    let step = OneTimePassword(secret: secret).step(
      of: request.totpCode, at: now.microseconds / 1_000_000, after: account.totpStep)
    guard let step else { throw AccountFailure.signInRefused }
    let sealed = try store.cipher.seal(secret, table: StoredStaff.table, column: "totp", row: id)
    try await change(account, "confirm_totp", at: now) { after, _ in
      after.totp = sealed
      after.totpPending = nil
      after.totpStep = step
    }
    return ConfirmTotpResponse()
  }

  /// Returns the calling account if the password is correct; a guess counts as one at sign-in.
  private func proven(
    _ password: String, _ context: ServerContext, at now: Foundation.Date
  ) async throws -> (StoredStaff, guess: GuessKeys) {
    guard let account = try await store.database.read(StaffStore.byID(try account(context))) else {
      throw AccountFailure.noSession
    }
    try store.passwords.checkFree()
    let guess = try await countGuess(of: account.userName, context, at: now)
    guard let hash = PasswordHash(text: account.password),
      try await store.passwords.matches(password, hash)
    else { throw AccountFailure.signInRefused }
    return (account, guess)
  }

  /// Changes the account, guarded by what was read of it.
  private func change(
    _ account: StoredStaff, _ action: String, at now: Foundation.Date,
    _ apply: @escaping @Sendable (inout StoredStaff, inout Commit) -> Void
  ) async throws {
    try await store.database.write {
      .read(StaffStore.byID(account.id)) { current in
        guard current == account else { throw CommonFailure.etagMismatch }
        var (after, commit) = (account, Commit(at: now))
        apply(&after, &commit)
        StaffStore.update(after, at: now.microseconds, in: &commit)
        commit.record(
          AuditEntry(actor: account.name, action: "gateway.\(action)", target: account.name))
        return .commit(commit, ())
      }
    }
    store.directory.forget(account.name)
  }
}
