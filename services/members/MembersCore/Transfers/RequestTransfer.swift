public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Requests a transfer; with a code that accepts transfers, completes it at once.
  public func requestTransfer(
    _ request: RequestTransferRequest, context: ServerContext
  ) async throws -> RequestTransferResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try MemberOrder(
      context, requestID: request.requestID, name: request.member, field: "member",
      reason: request.reason, payload: payload, at: clock.now, &checks)
    let target = TransferTarget(request, codes: keys.codes, &checks)
    try checks.check()
    let (ledger, id) = (keys.ledger, ids.next())
    let bytes = try await database.write {
      ledger.once(order.key, payload: order.payload, at: order.now) {
        order.read { facts in
          .read(
            OrganizationStore.byID(target.organizationID ?? ""),
            OrganizationStore.byCode(target.codeID ?? ""), CodeStore.byID(target.codeID ?? "")
          ) { named, scanned, code in
            if target.codeID != nil {
              guard let code else { throw MembersError.codeRevoked }
              try code.check(at: order.act.microseconds)
            }
            guard let receiver = target.codeID == nil ? named : scanned else {
              throw MembersError.organizationNotFound
            }
            return .read(TransferStore.days(of: receiver)) { days in
              try TransferRequest(
                id: id, order: order, facts: facts, receiver: receiver, days: days,
                isAcceptedAtOnce: code?.acceptsTransfers ?? false
              ).step()
            }
          }
        }
      }
    }
    return try RequestTransferResponse(wireBytes: bytes)
  }
}

/// The receiver of a transfer: named, or given by a code.
private struct TransferTarget: Sendable {
  var organizationID: String?
  var codeID: String?

  init(
    _ request: RequestTransferRequest, codes: KeyedHash, _ checks: inout FieldChecks
  ) {
    guard request.organizationCode.isEmpty else {
      do throws(MembersError) {
        codeID = try OrganizationCodeText(
          scanned: request.organizationCode, signedBy: codes
        ).id
      } catch {
        checks.add("organization_code", error.reason, error.text)
      }
      return
    }
    organizationID = checks.resource(request.toOrganization, of: "organizations", "to_organization")
  }
}

/// A transfer request with the data to decide it. Pure.
private struct TransferRequest: Sendable {
  let id: String
  let order: MemberOrder
  let facts: MemberFacts
  let receiver: StoredOrganization
  let days: Int
  let isAcceptedAtOnce: Bool

  func step() throws -> Step<[UInt8]> {
    guard facts.transfer == nil else { throw MembersError.transferOpen }
    var membership = Membership(facts.member.state)
    _ = try membership.apply(.transfer)
    guard facts.member.managingOrganizationID != receiver.id else {
      throw MembersError.sameOrganization
    }
    try receiver.checkTakesMembers()
    let act = order.act
    var commit = Commit(at: order.now)
    var stored = StoredTransfer(
      id: id, memberID: facts.member.id,
      progress: TransferProgress(dueDay: act.day + days, expiryDay: act.day + 2 * days),
      fromID: facts.member.managingOrganizationID, toID: receiver.id, handlerID: receiver.id,
      version: 1, created: act.microseconds)
    if isAcceptedAtOnce {
      try stored.progress.apply(.accept, on: act.day)
      _ = try commit.move(facts, to: receiver, by: act)
      commit.run(TransferStore.close(of: stored.memberID, isOpen: false))
    } else {
      commit.run(MemberStore.isStill(facts.member))
      commit.run(TransferStore.open(stored))
    }
    commit.run(OrganizationStore.isStill(receiver))
    commit.run(TransferStore.insert(stored))
    commit.emit(try .changed(stored))
    commit.record(order.audit("transfers.request", target: "transfers/\(id)"))
    let placed = PlacedTransfer(
      transfer: stored, toPath: receiver.path, aboveReceiverID: receiver.parentID,
      memberPath: facts.known.managingPath, memberNumber: facts.member.number)
    var response = RequestTransferResponse()
    response.transfer = placed.message(stored)
    return .commit(commit, try response.wireBytes())
  }
}
