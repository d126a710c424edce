import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import YijiaTypeV1

/// A write about one member, its common fields checked: who asks for it, and for whom.
struct MemberOrder: Sendable {
  static let reasonCharacters = 4...200

  let caller: Caller
  let key: RequestKey
  /// The request without its request id.
  let payload: [UInt8]
  let memberID: String
  /// Empty where the caller does not compare.
  let etag: String
  /// Why; empty for members, who need not say.
  let reason: String
  let now: Date

  var act: Act { Act(actor: caller.subject, now: now) }

  /// - Parameters:
  ///   - name: The member; a member's own where empty.
  ///   - payload: The request with its request id cleared.
  ///   - checks: Takes the wrong fields, to which the RPC adds its own.
  init(
    _ context: ServerContext, requestID: String, name: String, field: String = "name",
    etag: String = "", reason: String, payload: some Message, at now: Date,
    _ checks: inout FieldChecks
  ) throws {
    let caller = try context.caller
    let id = checks.requestID(requestID)
    memberID =
      checks.take { () throws(FieldFailure) in
        try caller.member(named: name, field: field)
      } ?? ""
    self.reason =
      checks.take { () throws(FieldFailure) in
        try caller.checked(reason: reason)
      } ?? ""
    key = RequestKey(caller: caller.subject, method: context.method.path, requestID: id ?? "")
    self.payload = try payload.wireBytes()
    self.caller = caller
    self.etag = etag
    self.now = now
  }
}

extension Caller {
  /// Identifier of the member that a request is about: a member's own where it names none.
  func member(named name: String, field: String = "name") throws(FieldFailure) -> String {
    let name = name.isEmpty && kind == .member ? subject : name
    return try ResourceName.parse(name, collection: "members", field: field)
  }

  /// Staff say why they do something to a member; members need not.
  func checked(reason: String) throws(FieldFailure) -> String {
    if kind == .member, reason.isEmpty { return "" }
    return try PlainText.checked(
      reason, field: "reason", characters: MemberOrder.reasonCharacters)
  }

  /// Whether the caller may act for a member: staff in whose subtree the member is managed, and the
  /// member.
  func actsFor(_ known: KnownMember, _ scope: StaffScope) -> Bool {
    kind == .member ? subject == "members/\(known.member.id)" : scope.holds(known.managingPath)
  }
}

extension MembersService {
  /// Makes one write about a member: ledger, scope, etag, decision, audit entry.
  ///
  /// - Parameters:
  ///   - action: What the audit log calls it.
  ///   - decide: Decides, and adds what is to be stored. What it throws refuses the write.
  /// - Throws: ``MembersError/memberNotFound`` for whoever may not act for the member;
  ///   ``CommonFailure/etagMismatch``.
  func write<Reply: Message>(
    _ order: MemberOrder, action: String,
    _ decide: @escaping @Sendable (MemberFacts, inout Commit) throws -> Reply
  ) async throws -> Reply {
    let ledger = keys.ledger
    let bytes = try await database.write {
      ledger.once(order.key, payload: order.payload, at: order.now) {
        order.read { facts in
          var commit = Commit(at: order.now)
          let reply = try decide(facts, &commit)
          commit.record(order.audit(action, target: "members/\(order.memberID)"))
          return .commit(commit, try reply.wireBytes())
        }
      }
    }
    return try Reply(wireBytes: bytes)
  }
}

extension MemberOrder {
  /// Reads the member and what is open about them, for who may act for them.
  ///
  /// - Throws: ``MembersError/memberNotFound``, ``CommonFailure/etagMismatch``.
  func read(_ decide: @escaping @Sendable (MemberFacts) throws -> Step<[UInt8]>) -> Step<[UInt8]> {
    .read(
      StaffScope.query(of: caller), MemberStore.byID(memberID), PoolCaseStore.open(of: memberID),
      TransferStore.open(of: memberID), AwayStore.openReport(of: memberID)
    ) { scope, known, poolCase, transfer, away in
      guard let known, !known.person.isErased, caller.actsFor(known, scope) else {
        throw MembersError.memberNotFound
      }
      try Etag.check(etag, known.member.version)
      return try decide(
        MemberFacts(known: known, poolCase: poolCase, transfer: transfer, away: away))
    }
  }

  func audit(_ action: String, target: String) -> AuditEntry {
    AuditEntry(actor: caller.subject, action: action, target: target, reason: reason)
  }
}

/// A member with what is open about them, from one snapshot.
struct MemberFacts: Sendable {
  var known: KnownMember
  /// The case of the holding pool.
  var poolCase: PlacedPoolCase?
  var transfer: PlacedTransfer?
  /// The report of going away; only read where the membership may end.
  var away: StoredAwayReport?

  var member: StoredMember { known.member }
}

extension Commit {
  /// Ends a membership, and with it what is open about the member.
  mutating func end(
    _ facts: MemberFacts, _ input: Membership.Input, survivorID: String? = nil, by act: Act
  ) throws -> StoredMember {
    let ended = try change(facts.member, input, survivorID: survivorID, by: act)
    if let open = facts.poolCase { try change(open.poolCase, .close, by: act) }
    try cancelTransfer(facts.transfer, of: ended.id, by: act)
    if let away = facts.away { try end(away) }
    return ended
  }

  private mutating func end(_ open: StoredAwayReport) throws {
    var (report, progress) = (open, AwayProgress(open.state))
    try progress.apply(.end)
    report.state = progress.state
    report.version += 1
    AwayStore.update(report, into: &self)
    emit(try .changed(report))
  }
}
