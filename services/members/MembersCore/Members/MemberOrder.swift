import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import YijiaTypeV1

/// The validated common fields of a write on one member.
struct MemberOrder: Sendable {
  static let reasonCharacters = 4...200

  let caller: Caller
  let key: RequestKey
  /// The serialized request without its request id.
  let payload: [UInt8]
  let memberID: String
  /// The expected etag; empty for no check.
  let etag: String
  /// The reason for the audit log; may be empty for members, who need not give one.
  let reason: String
  let now: Date

  var act: Act { Act(actor: caller.subject, now: now) }

  /// - Parameters:
  ///   - name: The member; if empty, the calling member.
  ///   - payload: The request with its request id cleared.
  ///   - checks: Collects invalid fields, to which the RPC adds its own.
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
  /// Returns the identifier of the member named by a request, or of the calling member if it is
  /// empty.
  func member(named name: String, field: String = "name") throws(FieldFailure) -> String {
    let name = name.isEmpty && kind == .member ? subject : name
    return try ResourceName.parse(name, collection: "members", field: field)
  }

  /// Validates a reason, which staff must give and members may omit.
  func checked(reason: String) throws(FieldFailure) -> String {
    if kind == .member, reason.isEmpty { return "" }
    return try PlainText.checked(
      reason, field: "reason", characters: MemberOrder.reasonCharacters)
  }

  /// Returns whether the caller may act for a member: the member, and staff whose scope contains
  /// the managing organization.
  func actsFor(_ known: KnownMember, _ scope: StaffScope) -> Bool {
    kind == .member ? subject == "members/\(known.member.id)" : scope.holds(known.managingPath)
  }
}

extension MembersService {
  /// Executes one write on a member: ledger, scope, etag, decision, audit entry.
  ///
  /// - Parameters:
  ///   - action: The action in the audit log.
  ///   - decide: Decides and adds changes to the commit; an error that it throws refuses the write.
  /// - Throws: ``MembersError/memberNotFound`` if the caller may not act for the member;
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
  /// Reads the member with their open cases, transfers and reports, and checks access and etag.
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

/// A member with their open case, transfer and report, from one snapshot.
struct MemberFacts: Sendable {
  var known: KnownMember
  /// The open case of the holding pool.
  var poolCase: PlacedPoolCase?
  /// The open transfer.
  var transfer: PlacedTransfer?
  /// The open away report; read only if the membership may end.
  var away: StoredAwayReport?

  var member: StoredMember { known.member }
}

extension Commit {
  /// Ends a membership, and closes the member's open case, transfer and report, and their records
  /// in refresh rounds.
  mutating func end(
    _ facts: MemberFacts, _ input: Membership.Input, survivorID: String? = nil, by act: Act
  ) throws -> StoredMember {
    let ended = try change(facts.member, input, survivorID: survivorID, by: act)
    if let open = facts.poolCase { try change(open.poolCase, .close, by: act) }
    try cancelTransfer(facts.transfer, of: ended.id, by: act)
    if let away = facts.away { try end(away) }
    run(AwayStore.noneOpen(of: ended.id))
    RefreshStore.end(ended.id, on: act.day, into: &self)
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

  /// Opens a report that a merge ended again, in its state before.
  ///
  /// - Throws: ``MembersError/awayState``.
  mutating func restore(_ ended: StoredAwayReport, to former: AwayState) throws {
    var (report, progress) = (ended, AwayProgress(ended.state, former: former))
    try progress.apply(.restore)
    report.state = progress.state
    report.version += 1
    AwayStore.reopen(report, into: &self)
    emit(try .changed(report))
  }
}
