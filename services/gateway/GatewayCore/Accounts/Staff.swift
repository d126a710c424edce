import Foundation
public import GatewayV1
import GoogleProtobuf
import Protobuf
public import RPC
import ServiceKit
import Storage
import YijiaTypeV1

extension AccountsService {
  /// Creates an account with a temporary password. The password is in the reply and stored nowhere
  /// in clear: a replay of the request decrypts the reply in the request ledger.
  public func createStaff(
    _ request: CreateStaffRequest, context: ServerContext
  ) async throws -> CreateStaffResponse {
    let caller = try administrator(context)
    let now = store.clock.now
    var checks = FieldChecks()
    let given = request.staff ?? StaffAccount()
    let userName = checks.userName(given.userName, "staff.user_name")
    let displayName = checks.text(given.displayName, "staff.display_name", length: Self.nameLength)
    checks.role(given.role, "staff.role")
    let organization =
      given.organization.isEmpty
      ? "" : checks.resource(given.organization, of: "organizations", "staff.organization")
    checks.add(Self.organizationFailures(given.organization, given.role))
    let requestKey = checks.requestID(request.requestID)
    let (requestID, organizationID) = try checks.finish(requestKey, organization)
    let temporary = TemporaryPassword(ids: store.ids)
    let hash = try await temporary.hash(store)
    let account = StoredStaff(
      id: store.ids.next(), version: 1, userName: userName, displayName: displayName,
      role: given.role, organization: organizationID, state: .active, password: hash,
      isTemporary: true, totpStep: 0, createdAt: now.microseconds, updatedAt: now.microseconds)
    var payload = request
    payload.requestID = ""
    return try await store.once(context, requestID: requestID, payload: payload, at: now) {
      .read(StaffStore.byUserName(userName)) { taken in
        guard taken == nil else { throw AccountFailure.userNameTaken }
        var commit = Commit(at: now)
        StaffStore.insert(account, into: &commit)
        commit.record(
          AuditEntry(actor: caller.subject, action: "gateway.create_staff", target: account.name))
        var response = CreateStaffResponse()
        response.staff = account.message
        response.temporaryPassword = temporary.text
        return .commit(commit, response)
      }
    }
  }

  /// Returns an account.
  public func getStaff(
    _ request: GetStaffRequest, context: ServerContext
  ) async throws -> GetStaffResponse {
    _ = try administrator(context)
    var checks = FieldChecks()
    let given = checks.resource(request.name, of: "staff", "name")
    let account = try await store.database.read(StaffStore.byID(try checks.finish(given)))
    guard let account else { throw AccountFailure.staffNotFound }
    var response = GetStaffResponse()
    response.staff = account.message
    return response
  }

  /// Lists the accounts of the store.
  public func listStaff(
    _ request: ListStaffRequest, context: ServerContext
  ) async throws -> ListStaffResponse {
    _ = try administrator(context)
    var checks = FieldChecks()
    let size = checks.pageSize(request.pageSize)
    try checks.finish()
    let (rows, next) = try await store.page(
      context, size: size, token: request.pageToken, id: \StoredStaff.id
    ) { StaffStore.page(after: $0, limit: $1) }
    var response = ListStaffResponse()
    response.staff = rows.map(\.message)
    response.nextPageToken = next
    return response
  }

  /// Disables an account and ends all its sessions.
  public func disableStaff(
    _ request: DisableStaffRequest, context: ServerContext
  ) async throws -> DisableStaffResponse {
    var checks = FieldChecks()
    let change = AccountChange<StaffStore>(
      requestID: request.requestID, name: request.name, action: "disable_staff",
      reason: checks.reason(request.reason))
    guard try context.caller.subject != request.name else { throw AccountFailure.ownAccount }
    var payload = request
    payload.requestID = ""
    return try await self.change(change, payload, checks, context) { account, commit in
      account.state = .disabled
      SessionStore.endAll(of: account.id, at: commit.time.microseconds, in: &commit)
    } reply: { account in
      var response = DisableStaffResponse()
      response.staff = account.message
      return response
    }
  }

  /// Enables a disabled account.
  public func enableStaff(
    _ request: EnableStaffRequest, context: ServerContext
  ) async throws -> EnableStaffResponse {
    var checks = FieldChecks()
    let change = AccountChange<StaffStore>(
      requestID: request.requestID, name: request.name, action: "enable_staff",
      reason: checks.reason(request.reason))
    var payload = request
    payload.requestID = ""
    return try await self.change(change, payload, checks, context) { account, _ in
      account.state = .active
    } reply: { account in
      var response = EnableStaffResponse()
      response.staff = account.message
      return response
    }
  }

  /// Sets a temporary password, removes the authenticator, ends all sessions, and deletes the
  /// account's counters of failed sign-ins, from whatever address: its user can sign in at once.
  public func resetStaff(
    _ request: ResetStaffRequest, context: ServerContext
  ) async throws -> ResetStaffResponse {
    var checks = FieldChecks()
    let change = AccountChange<StaffStore>(
      requestID: request.requestID, name: request.name, action: "reset_staff",
      reason: checks.reason(request.reason))
    let temporary = TemporaryPassword(ids: store.ids)
    let hash = try await temporary.hash(store)
    let hasher = store.hasher
    var payload = request
    payload.requestID = ""
    return try await self.change(change, payload, checks, context) { account, commit in
      account.password = hash
      account.isTemporary = true
      account.totp = nil
      account.totpPending = nil
      SessionStore.endAll(of: account.id, at: commit.time.microseconds, in: &commit)
      GuessStore.forgetAll(GuessKeys.all(hasher, "staff", account.userName), in: &commit)
      GuessStore.forgetCodes(GuessKeys.codes(hasher, of: account.userName), in: &commit)
    } reply: { account in
      var response = ResetStaffResponse()
      response.staff = account.message
      response.temporaryPassword = temporary.text
      return response
    }
  }
}

/// A password that an administrator hands over: 80 random bits in groups that can be read out.
private struct TemporaryPassword: Sendable {
  private static let digits = 20

  let text: String

  init(ids: IDSource) {
    let digits = Array(ids.next().prefix(Self.digits))
    text = stride(from: 0, to: digits.count, by: 4)
      .map { String(digits[$0..<min($0 + 4, digits.count)]) }.joined(separator: "-")
  }

  /// Returns the stored form of its hash.
  func hash(_ store: GatewayStore) async throws -> String {
    try await store.passwords.hash(text, salt: store.ids.bytes(PasswordHash.saltBytes)).text
  }
}
