import Foundation
public import GatewayV1
public import RPC
import ServiceKit
import Storage
import YijiaTypeV1

extension SessionsService {
  /// Longest password that is hashed, in bytes of UTF-8.
  private static let passwordBytesMax = 512

  /// Signs a staff member in.
  ///
  /// A failure does not reveal what was wrong, also not by its duration: for an unknown user name
  /// the password is compared with a decoy hash.
  public func signIn(
    _ request: SignInRequest, context: ServerContext
  ) async throws -> SignInResponse {
    let now = store.clock.now
    let source = context.source
    let userName = request.userName.lowercased()
    // No account has such a name, so refusing it at once reveals nothing.
    guard FieldChecks.isUserName(userName),
      (1...Self.passwordBytesMax).contains(request.password.utf8.count)
    else { throw AccountFailure.signInRefused }
    try store.sources.check(source, at: now)
    try store.passwords.checkFree()
    let guess = try await countGuess(of: userName, context, at: now)
    let account = try await store.database.read(StaffStore.byUserName(userName))
    let hash = account.flatMap { PasswordHash(text: $0.password) } ?? store.decoy
    let isRight = try await store.passwords.matches(request.password, hash)
    guard isRight, let account, account.state == .active else {
      store.sources.failed(source, at: now)
      throw AccountFailure.signInRefused
    }
    let codes = try await countCode(request.totpCode, of: account, from: source, at: now)
    do {
      return try await begin(account, code: request.totpCode, guess: guess, at: now)
    } catch AccountFailure.signInRefused {
      store.sources.failed(source, at: now)
      if codes >= SignInDelay.freeCodes { try await reportGuessing(at: account, at: now) }
      throw AccountFailure.signInRefused
    }
  }

  /// Counts a guess at the authenticator's code before it is checked.
  ///
  /// - Returns: The wrong codes in a row, should this one be wrong; 0 where there is none to guess.
  /// - Throws: ``AccountFailure/signInDelayed(_:)``.
  private func countCode(
    _ code: String, of account: StoredStaff, from source: String, at now: Foundation.Date
  ) async throws -> Int64 {
    guard account.totp != nil, !code.isEmpty else { return 0 }
    let key = GuessKeys.codes(store.hasher, of: account.userName)
    do {
      return try await store.database.write { GuessStore.countCode(key, at: now) }
    } catch let error as AccountFailure {
      store.sources.failed(source, at: now)
      throw error
    }
  }

  /// Tells in the audit log that somebody who knows the password guesses codes; once an hour, as a
  /// delay begins each time.
  private func reportGuessing(
    at account: StoredStaff, at now: Foundation.Date
  ) async throws {
    var commit = Commit(at: now)
    commit.record(
      AuditEntry(actor: account.name, action: "gateway.guess_code", target: account.name))
    try await store.database.write(commit)
  }

  /// Checks the authenticator's code and creates the session, after the password was found correct.
  private func begin(
    _ account: StoredStaff, code: String, guess: GuessKeys, at now: Foundation.Date
  ) async throws -> SignInResponse {
    let token = Secret(.session, ids: store.ids)
    let session = StoredSession(
      store.ids.next(), token: token, of: .staff, account.id, .staff, at: now.microseconds)
    let store = store
    return try await store.database.write {
      .read(StaffStore.byID(account.id)) { current in
        // The hash that the password was compared with must still be the account's.
        guard let current, current.state == .active, current.password == account.password else {
          throw AccountFailure.signInRefused
        }
        var commit = Commit(at: now)
        if let step = try Self.step(of: code, current, store, at: now) {
          var after = current
          after.totpStep = step
          StaffStore.update(after, at: now.microseconds, in: &commit)
        } else {
          StaffStore.check(current, in: &commit)
        }
        SessionStore.insert(session, into: &commit)
        GuessStore.forget(guess, in: &commit)
        GuessStore.forgetCodes(GuessKeys.codes(store.hasher, of: current.userName), in: &commit)
        commit.record(
          AuditEntry(actor: current.name, action: "gateway.sign_in", target: session.name))
        var response = SignInResponse()
        response.session = session.message(current: session.name)
        response.token = token.text
        response.passwordTemporary = current.isTemporary
        response.displayName = current.displayName
        response.role = current.role
        response.organization = current.message.organization
        response.totpEnrolled = current.totp != nil
        return .commit(commit, response)
      }
    }
  }

  /// Returns the time step of the authenticator's code; nil where none is enrolled.
  ///
  /// - Throws: ``AccountFailure/totpRequired`` where the code is missing,
  ///   ``AccountFailure/signInRefused`` where it is wrong or was used before.
  private static func step(
    of code: String, _ account: StoredStaff, _ store: GatewayStore, at now: Foundation.Date
  ) throws -> Int64? {
    guard let sealed = account.totp else { return nil }
    guard !code.isEmpty else { throw AccountFailure.totpRequired }
    let secret = try store.cipher.open(
      sealed, table: StoredStaff.table, column: "totp", row: account.id)
    let step = OneTimePassword(secret: secret).step(
      of: code, at: now.microseconds / 1_000_000, after: account.totpStep)
    guard let step else { throw AccountFailure.signInRefused }
    return step
  }
}
