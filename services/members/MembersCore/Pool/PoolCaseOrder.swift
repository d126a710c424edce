import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage

/// The validated common fields of a write on one pool case.
struct PoolCaseOrder: Sendable {
  let caller: Caller
  let key: RequestKey
  /// The serialized request without its request id.
  let payload: [UInt8]
  let caseID: String
  /// The union named as the receiver; `nil` if there is none.
  let receiverID: String?
  /// The expected etag; empty for no check.
  let etag: String
  /// The reason for the audit log; empty if none is required.
  let reason: String
  let now: Date
  /// Whether the case is only decided, and nothing stored.
  let isDryRun: Bool

  var act: Act { Act(actor: caller.subject, now: now) }

  /// - Parameters:
  ///   - receiver: The name of a union; `nil` if the RPC has no receiver.
  ///   - reason: `nil` if the RPC has no reason.
  ///   - payload: The request with its request id cleared.
  ///   - isDryRun: The request id is ignored then.
  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every invalid field.
  init(
    _ context: ServerContext, requestID: String, name: String, receiver: String? = nil,
    etag: String = "", reason: String? = nil, payload: some Message, isDryRun: Bool = false,
    at now: Date
  ) throws {
    let caller = try context.caller
    var checks = FieldChecks()
    let id = isDryRun ? nil : checks.requestID(requestID)
    caseID =
      checks.resource(name, of: "poolCases", "name") ?? ""
    receiverID = receiver.flatMap { receiver in
      checks.resource(receiver, of: "organizations", "receiver")
    }
    self.reason =
      reason.flatMap { reason in
        checks.take { () throws(FieldFailure) in try caller.checked(reason: reason) }
      } ?? ""
    try checks.check()
    key = RequestKey(caller: caller.subject, method: context.method.path, requestID: id ?? "")
    self.payload = try payload.wireBytes()
    self.caller = caller
    self.etag = etag
    self.now = now
    self.isDryRun = isDryRun
  }
}

/// The data read for a decision on a pool case, from one snapshot.
struct PoolCaseFacts: Sendable {
  var scope: StaffScope
  var placed: PlacedPoolCase
  /// The member of the case.
  var member: StoredMember
  /// The union named by the order, or else the one to which the case is assigned.
  var receiver: StoredOrganization?
  /// The member's open transfer.
  var transfer: PlacedTransfer?
}

extension MembersService {
  /// Executes one write on a pool case: ledger, scope, etag, decision, audit entry. A dry run takes
  /// the same decision, but keeps only the reply.
  ///
  /// - Throws: ``MembersError/poolCaseNotFound`` if the case does not concern the caller;
  ///   ``CommonFailure/etagMismatch``.
  func write<Reply: Message>(
    _ order: PoolCaseOrder, action: String,
    _ decide: @escaping @Sendable (PoolCaseFacts, inout Commit) throws -> Reply
  ) async throws -> Reply {
    let ledger = keys.ledger
    let decision = decision(on: order, action: action, decide)
    let bytes: [UInt8] = try await database.write {
      if order.isDryRun { return try decision.finish { _, reply in .reply(reply) } }
      return ledger.once(order.key, payload: order.payload, at: order.now) { decision }
    }
    return try Reply(wireBytes: bytes)
  }

  private func decision<Reply: Message>(
    on order: PoolCaseOrder, action: String,
    _ decide: @escaping @Sendable (PoolCaseFacts, inout Commit) throws -> Reply
  ) -> Step<[UInt8]> {
    .read(
      StaffScope.query(of: order.caller), PoolCaseStore.byID(order.caseID),
      MemberStore.ofPoolCase(order.caseID),
      OrganizationStore.byID(order.receiverID ?? ""),
      OrganizationStore.receiverOfPoolCase(order.caseID),
      TransferStore.open(ofPoolCase: order.caseID)
    ) { scope, placed, known, named, assigned, transfer in
      guard let placed, let known, placed.isKept(by: scope) || placed.isReceived(by: scope)
      else { throw MembersError.poolCaseNotFound }
      try Etag.check(order.etag, placed.poolCase.version)
      var commit = Commit(at: order.now)
      let reply = try decide(
        PoolCaseFacts(
          scope: scope, placed: placed, member: known.member,
          receiver: order.receiverID == nil ? assigned : named, transfer: transfer), &commit)
      commit.record(
        AuditEntry(
          actor: order.caller.subject, action: action, target: "poolCases/\(order.caseID)",
          reason: order.reason))
      return .commit(commit, try reply.wireBytes())
    }
  }
}

extension StoredOrganization {
  /// - Throws: ``MembersError/organizationNotActive``; ``MembersError/noIndividualMembers`` for
  ///   kinds without members of their own: regional federations and holding pools.
  func checkTakesMembers() throws {
    guard state == .active else { throw MembersError.organizationNotActive }
    guard kind != .regionalFederation, kind != .holdingPool else {
      throw MembersError.noIndividualMembers
    }
  }
}
