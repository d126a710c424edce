import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage

/// What every change of one organization is asked with, checked.
struct OrganizationOrder: Sendable {
  private static let reasonCharacters = 2...200

  let requestID: String
  let id: String
  /// Etag that the organization must have; any when empty.
  let etag: String
  /// Why; empty where nobody asks.
  var reason = ""

  /// - Parameter checks: Takes every wrong field; the order counts only without any.
  init(
    requestID: String, name: String, field: String = "name", etag: String = "",
    _ checks: inout FieldChecks
  ) {
    self.requestID =
      checks.requestID(requestID) ?? ""
    id =
      checks.resource(name, of: "organizations", field) ?? ""
    self.etag = etag
  }

  /// An order that is nothing but these.
  ///
  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every wrong field.
  init(requestID: String, name: String, etag: String) throws {
    var checks = FieldChecks()
    self.init(requestID: requestID, name: name, etag: etag, &checks)
    try checks.check()
  }

  /// An order that says why.
  ///
  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every wrong field.
  init(requestID: String, name: String, etag: String, reason: String) throws {
    var checks = FieldChecks()
    self.init(requestID: requestID, name: name, etag: etag, &checks)
    self.reason =
      checks.take { () throws(FieldFailure) in
        try PlainText.checked(reason, field: "reason", characters: Self.reasonCharacters)
      } ?? ""
    try checks.check()
  }
}

/// One change of one organization under way: how it ends is the same for all.
struct OrganizationChange: Sendable {
  let caller: Caller
  let now: Date
  /// What the audit log calls it.
  let action: String
  let order: OrganizationOrder

  var microseconds: Int64 { now.microseconds }

  /// Today in China, in days since 1970-01-01.
  var today: Int { act.day }

  var act: Act { Act(actor: caller.subject, now: now) }

  /// The end of a change: its event and its audit entry.
  ///
  /// - Parameters:
  ///   - after: The organization after it; its version has risen by one.
  ///   - previousParent: Where it stood before it was moved.
  ///   - detail: More for the audit log.
  func end(
    _ after: StoredOrganization, previousParent: String? = nil, detail: String = "",
    _ commit: Commit
  ) throws -> Step<[UInt8]> {
    var commit = commit
    commit.emit(try .changed(after, previousParent: previousParent))
    return try end(after, detail: detail, commit)
  }

  /// The end of what changed nothing of the organization itself: its audit entry.
  func end(
    unchanged organization: StoredOrganization, detail: String = "", _ commit: Commit
  ) throws -> Step<[UInt8]> {
    try end(organization, detail: detail, commit)
  }

  private func end(
    _ organization: StoredOrganization, detail: String, _ commit: Commit
  ) throws -> Step<[UInt8]> {
    var commit = commit
    commit.record(
      AuditEntry(
        actor: caller.subject, action: action, target: "organizations/\(organization.id)",
        reason: order.reason, detail: Array(detail.utf8)))
    return .commit(commit, try organization.message.wireBytes())
  }
}

extension MembersService {
  /// Changes one organization: once a request id, in the caller's scope, from the etag that the
  /// caller saw.
  ///
  /// - Parameters:
  ///   - payload: The request; its request id does not count.
  ///   - isAbove: Whether the caller must stand above the organization, not only hold it.
  ///   - other: Another organization that the decision needs; empty for none.
  ///   - decide: The decision, from the organization and the other one.
  /// - Throws: ``MembersError/organizationNotFound``, ``CommonFailure/outOfScope``,
  ///   ``CommonFailure/etagMismatch``, and what `decide` throws.
  func change(
    _ order: OrganizationOrder, payload: [UInt8], action: String, context: ServerContext,
    isAbove: Bool = true, other: String = "",
    decide:
      @escaping @Sendable (
        OrganizationChange, StoredOrganization, StoredOrganization?, StaffScope
      ) throws -> Step<[UInt8]>
  ) async throws -> [UInt8] {
    let caller = try context.caller
    let change = OrganizationChange(
      caller: caller, now: clock.now, action: "organizations.\(action)", order: order)
    return try await writeOnce(
      order.requestID, payload: payload, at: change.now, context
    ) {
      .read(
        StaffScope.query(of: caller), OrganizationStore.byID(order.id),
        OrganizationStore.byID(other)
      ) { scope, organization, other in
        guard let organization else { throw MembersError.organizationNotFound }
        guard isAbove ? scope.isAbove(organization) : scope.holds(organization.path) else {
          throw CommonFailure.outOfScope
        }
        try Etag.check(order.etag, organization.version)
        return try decide(change, organization, other, scope)
      }
    }
  }

  /// Changes the state of one organization, and nothing else.
  func change(
    _ order: OrganizationOrder, payload: [UInt8], _ input: OrganizationLife.Input,
    context: ServerContext,
    check: @escaping @Sendable (StoredOrganization, Caller) throws -> Void = { _, _ in }
  ) async throws -> Organization {
    let bytes = try await change(
      order, payload: payload, action: "\(input)", context: context
    ) { change, organization, _, _ in
      try check(organization, change.caller)
      var after = organization
      if try after.live(input) == .open { after.openedDay = after.openedDay ?? change.today }
      after.version += 1
      var commit = Commit(at: change.now)
      OrganizationStore.update(after, from: organization, into: &commit)
      return try change.end(after, commit)
    }
    return try Organization(wireBytes: bytes)
  }
}
