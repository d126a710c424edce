import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage

/// The validated common fields of a decision on a unit.
struct UnitOrder: Sendable {
  let caller: Caller
  let requestID: String
  let payload: [UInt8]
  let unitID: String
  let etag: String
  let now: Date
  var reason = ""

  /// - Parameter payload: The request with its request id cleared.
  init(
    _ context: ServerContext, requestID: String, name: String, etag: String,
    payload: some Message, at now: Date, _ checks: inout FieldChecks
  ) throws {
    caller = try context.caller
    self.requestID =
      checks.requestID(requestID) ?? ""
    unitID =
      checks.resource(name, of: "units", "name") ?? ""
    self.payload = try payload.wireBytes()
    self.etag = etag
    self.now = now
  }
}

/// The data read for a decision on a unit, from one snapshot.
struct UnitFacts: Sendable {
  /// The unit after the decision.
  var unit: StoredUnit
  /// The path of the unit's township.
  let path: String
  /// The organization named by the decision.
  var union: StoredOrganization?
  /// The unit's members with their open cases and transfers; only for forming a union.
  var members: [MemberFacts]

  init(
    unit: StoredUnit, path: String, union: StoredOrganization?, members: [KnownMember],
    _ cases: [PlacedPoolCase], _ transfers: [PlacedTransfer]
  ) {
    (self.unit, self.path, self.union) = (unit, path, union)
    let cases = Dictionary(cases.map { ($0.poolCase.memberID, $0) }) { first, _ in first }
    let transfers = Dictionary(transfers.map { ($0.transfer.memberID, $0) }) { first, _ in first }
    self.members = members.map { known in
      MemberFacts(
        known: known, poolCase: cases[known.member.id], transfer: transfers[known.member.id])
    }
  }
}

extension MembersService {
  /// Executes one decision on a unit: ledger, scope, etag, state, audit entry, event.
  ///
  /// - Parameters:
  ///   - unionID: The organization named by the decision, which must be active and in the caller's
  ///     subtree.
  ///   - also: Adds further changes and returns the reply.
  /// - Throws: ``MembersError/unitNotFound``, ``MembersError/unitState``,
  ///   ``MembersError/organizationNotFound``, ``MembersError/organizationNotActive``,
  ///   ``CommonFailure``.
  func decide<Reply: Message>(
    _ order: UnitOrder, _ input: UnitIndex.Input, unionID: String? = nil,
    _ context: ServerContext,
    also: @escaping @Sendable (UnitFacts, inout Commit) throws -> Reply
  ) async throws -> Reply {
    let reply = try await writeOnce(
      order.requestID, payload: order.payload, at: order.now, context
    ) {
      .read(
        StaffScope.query(of: order.caller), UnitStore.byID(order.unitID),
        OrganizationStore.byID(unionID ?? ""),
        UnitQueue.members(
          of: input == .form ? order.unitID : "", limit: Self.unitMembersMax + 1),
        PoolCaseStore.open(ofUnit: input == .form ? order.unitID : ""),
        TransferStore.open(ofUnit: input == .form ? order.unitID : "")
      ) { scope, placed, union, members, cases, transfers in
        guard let placed, scope.holds(placed.path) else { throw MembersError.unitNotFound }
        try Etag.check(order.etag, placed.unit.version)
        if unionID != nil {
          guard let union else { throw MembersError.organizationNotFound }
          guard scope.holds(union.path) else { throw CommonFailure.outOfScope }
          guard union.state == .active else { throw MembersError.organizationNotActive }
        }
        var unit = placed.unit
        var index = UnitIndex(unit.state)
        _ = try index.apply(input)
        unit.state = index.state
        unit.unionID = unionID ?? unit.unionID
        unit.version += 1
        var commit = Commit(at: order.now)
        let reply = try also(
          UnitFacts(
            unit: unit, path: placed.path, union: union, members: members, cases, transfers),
          &commit)
        try commit.changed(unit)
        // The union is not dissolved meanwhile.
        if let union { commit.run(OrganizationStore.isStill(union)) }
        commit.record(
          AuditEntry(
            actor: order.caller.subject, action: "units.\(input)", target: "units/\(unit.id)",
            reason: order.reason))
        return .commit(commit, try reply.wireBytes())
      }
    }
    return try Reply(wireBytes: reply)
  }

  /// The maximum number of members moved in one commit; a larger unit is a firm that has a union.
  static let unitMembersMax = 5_000
}
