import Foundation
public import GatewayV1
import GoogleProtobuf
public import RPC
import ServiceKit
import Storage
import YijiaTypeV1

extension AccountsService {
  /// Returns the failure of an account without an organization: services grant the whole tree to
  /// administrators only.
  static func organizationFailures(_ organization: String, _ role: StaffRole) -> [FieldFailure] {
    guard organization.isEmpty, role != .administrator else { return [] }
    var checks = FieldChecks()
    checks.fail(
      "staff.organization", "REQUIRED", zh: "除管理员外必填。",
      en: "is required, but for administrators.")
    return checks.failures
  }

  /// Changes display name, role or organization of an account. Sessions carry role and organization
  /// as they were, so they end with a change of either.
  public func updateStaff(
    _ request: UpdateStaffRequest, context: ServerContext
  ) async throws -> UpdateStaffResponse {
    var checks = FieldChecks()
    let given = request.staff ?? StaffAccount()
    let paths = Set(request.updateMask?.paths ?? [])
    if paths.isEmpty { checks.fail("update_mask", "REQUIRED", zh: "必填。", en: "is required.") }
    if !paths.isSubset(of: ["display_name", "role", "organization"]) {
      checks.fail(
        "update_mask", "INVALID_MASK", zh: "只能含 display_name、role、organization。",
        en: "may have display_name, role and organization only.")
    }
    var displayName: String?
    if paths.contains("display_name") {
      displayName = checks.text(given.displayName, "staff.display_name", length: Self.nameLength)
    }
    if paths.contains("role") { checks.role(given.role, "staff.role") }
    var organization: String?
    if paths.contains("organization") {
      organization =
        given.organization.isEmpty
        ? "" : checks.resource(given.organization, of: "organizations", "staff.organization")
    }
    let change = AccountChange<StaffStore>(
      requestID: request.requestID, name: given.name, field: "staff.name",
      action: "update_staff", reason: checks.reason(request.reason))
    let isOwn = try context.caller.subject == given.name
    if isOwn, !paths.isDisjoint(with: ["role", "organization"]) { throw AccountFailure.ownAccount }
    var payload = request
    payload.requestID = ""
    let (newName, newOrganization) = (displayName, organization)
    return try await self.change(change, payload, checks, context) { account, commit in
      let before = account
      account.displayName = newName ?? account.displayName
      if paths.contains("role") { account.role = given.role }
      account.organization = newOrganization ?? account.organization
      let failures = Self.organizationFailures(account.organization, account.role)
      guard failures.isEmpty else { throw CommonFailure.invalidFields(failures) }
      if account.role != before.role || account.organization != before.organization {
        SessionStore.endAll(of: account.id, at: commit.time.microseconds, in: &commit)
      }
    } reply: { account in
      var response = UpdateStaffResponse()
      response.staff = account.message
      return response
    }
  }
}

extension AccountsService {
  /// Lists the valid sessions of an account.
  public func listStaffSessions(
    _ request: ListStaffSessionsRequest, context: ServerContext
  ) async throws -> ListStaffSessionsResponse {
    _ = try administrator(context)
    var checks = FieldChecks()
    let given = checks.resource(request.name, of: "staff", "name")
    let id = try checks.finish(given)
    guard try await store.database.read(StaffStore.byID(id)) != nil else {
      throw AccountFailure.staffNotFound
    }
    let held = try await store.database.read(
      SessionStore.held(by: id, at: store.clock.microseconds))
    var response = ListStaffSessionsResponse()
    response.sessions = held.filter { $0.subject == request.name }.map {
      $0.message(current: context.session)
    }
    return response
  }

  /// Ends one session of an account, or all of them.
  public func endStaffSessions(
    _ request: EndStaffSessionsRequest, context: ServerContext
  ) async throws -> EndStaffSessionsResponse {
    let caller = try administrator(context)
    let now = store.clock.now
    var checks = FieldChecks()
    let reason = checks.reason(request.reason)
    let key = checks.requestID(request.requestID)
    let staff = checks.resource(request.name, of: "staff", "name")
    let one =
      request.session.isEmpty ? "" : checks.resource(request.session, of: "sessions", "session")
    let (requestID, id, session) = try checks.finish(key, staff, one)
    var payload = request
    payload.requestID = ""
    let entity = session.isEmpty ? "staff/\(id)" : "sessions/\(session)"
    let entry = AuditEntry(
      actor: caller.subject, action: "gateway.end_staff_sessions", target: entity, reason: reason)
    return try await store.once(
      context, requestID: requestID, payload: payload, at: now, changes: [entity]
    ) {
      .read(StaffStore.byID(id)) { account in
        guard let account else { throw AccountFailure.staffNotFound }
        var ended = Commit(at: now)
        ended.record(entry)
        guard !session.isEmpty else {
          SessionStore.endAll(of: id, at: now.microseconds, in: &ended)
          // The account's event notifies the replicas.
          StaffStore.update(account, at: account.updatedAt, in: &ended)
          return .commit(ended, EndStaffSessionsResponse())
        }
        let base = ended
        return .read(SessionStore.byID(session)) { held in
          var commit = base
          guard let held, held.subject == account.name else {
            throw AccountFailure.sessionNotFound
          }
          SessionStore.end(held, at: now.microseconds, in: &commit)
          return .commit(commit, EndStaffSessionsResponse())
        }
      }
    }
  }
}
