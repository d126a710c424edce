import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage

/// The validated common fields of a write on one transfer.
struct TransferOrder: Sendable {
  let caller: Caller
  let key: RequestKey
  /// The serialized request without its request id.
  let payload: [UInt8]
  let transferID: String
  /// The expected etag; empty for no check.
  let etag: String
  /// The reason for the audit log; empty if none is required.
  let reason: String
  let now: Date

  var act: Act { Act(actor: caller.subject, now: now) }

  /// - Parameters:
  ///   - reason: `nil` if the RPC has no reason.
  ///   - payload: The request with its request id cleared.
  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every invalid field.
  init(
    _ context: ServerContext, requestID: String, name: String, etag: String,
    reason: String? = nil, payload: some Message, at now: Date
  ) throws {
    let caller = try context.caller
    var checks = FieldChecks()
    let id = checks.requestID(requestID)
    transferID =
      checks.resource(name, of: "transfers", "name") ?? ""
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
  }
}

/// The data read for a decision on a transfer, from one snapshot.
struct TransferFacts: Sendable {
  var scope: StaffScope
  var placed: PlacedTransfer
  var member: MemberFacts
  var receiver: StoredOrganization

  /// - Throws: ``CommonFailure/outOfScope`` unless the caller decides for the receiver.
  func checkReceives() throws {
    guard scope.holds(placed.toPath) else { throw CommonFailure.outOfScope }
  }
}

extension MembersService {
  /// Executes one write on a transfer: ledger, scope, etag, decision, audit entry.
  ///
  /// - Throws: ``MembersError/transferNotFound`` if the transfer does not concern the caller;
  ///   ``CommonFailure/etagMismatch``.
  func write<Reply: Message>(
    _ order: TransferOrder, action: String,
    _ decide: @escaping @Sendable (TransferFacts, inout Commit) throws -> Reply
  ) async throws -> Reply {
    let ledger = keys.ledger
    let bytes = try await database.write {
      ledger.once(order.key, payload: order.payload, at: order.now) {
        .read(
          StaffScope.query(of: order.caller), TransferStore.byID(order.transferID),
          MemberStore.ofTransfer(order.transferID),
          PoolCaseStore.open(ofTransfer: order.transferID),
          OrganizationStore.receiverOfTransfer(order.transferID)
        ) { scope, placed, known, poolCase, receiver in
          guard let placed, let known, let receiver,
            placed.isAsked(by: order.caller, scope) || scope.holds(placed.toPath)
          else { throw MembersError.transferNotFound }
          try Etag.check(order.etag, placed.transfer.version)
          var commit = Commit(at: order.now)
          let member = MemberFacts(known: known, poolCase: poolCase, transfer: placed)
          let reply = try decide(
            TransferFacts(scope: scope, placed: placed, member: member, receiver: receiver),
            &commit)
          commit.record(
            AuditEntry(
              actor: order.caller.subject, action: action,
              target: "transfers/\(order.transferID)", reason: order.reason))
          return .commit(commit, try reply.wireBytes())
        }
      }
    }
    return try Reply(wireBytes: bytes)
  }
}
