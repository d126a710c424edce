import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage

/// The validated common fields of a change of one organization.
struct OrganizationOrder: Sendable {
  private static let reasonCharacters = 2...200

  let requestID: String
  let id: String
  /// The expected etag; empty for no check.
  let etag: String
  /// The reason for the audit log; empty if none is required.
  var reason = ""

  /// - Parameter checks: Collects invalid fields; the order must not be used if there are any.
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

  /// Creates an order without further fields.
  ///
  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every invalid field.
  init(requestID: String, name: String, etag: String) throws {
    var checks = FieldChecks()
    self.init(requestID: requestID, name: name, etag: etag, &checks)
    try checks.check()
  }

  /// Creates an order with a reason.
  ///
  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every invalid field.
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

/// A change of one organization, with the completion common to all changes.
struct OrganizationChange: Sendable {
  let caller: Caller
  let now: Date
  /// The action in the audit log.
  let action: String
  let order: OrganizationOrder

  var microseconds: Int64 { now.microseconds }

  /// The current day in China, in days since 1970-01-01.
  var today: Int { act.day }

  var act: Act { Act(actor: caller.subject, now: now) }

  /// Returns the final step of a change, with its event and audit entry.
  ///
  /// - Parameters:
  ///   - after: The changed organization, with its version incremented.
  ///   - previousParent: The parent before a move.
  ///   - detail: Additional data for the audit log.
  func end(
    _ after: StoredOrganization, previousParent: String? = nil, detail: String = "",
    _ commit: Commit
  ) throws -> Step<[UInt8]> {
    var commit = commit
    commit.emit(try .changed(after, previousParent: previousParent))
    return try end(after, detail: detail, commit)
  }

  /// Returns the final step if the organization itself did not change, with an audit entry but no
  /// event.
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
  /// Changes one organization: checks idempotency, the caller's scope and the etag.
  ///
  /// - Parameters:
  ///   - payload: The serialized request with its request id cleared.
  ///   - isAbove: Whether the caller's scope must contain the parent, not only the organization.
  ///   - other: The id of another organization needed by the decision; empty for none.
  ///   - decide: The decision, given both organizations and the scope.
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

  /// Changes only the state of one organization.
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
