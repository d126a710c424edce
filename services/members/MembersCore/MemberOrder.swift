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
  ///   - failures: Takes the wrong fields, to which the RPC adds its own.
  init(
    _ context: ServerContext, requestID: String, name: String, field: String = "name",
    etag: String = "", reason: String, payload: some Message, at now: Date,
    _ failures: inout FieldFailures
  ) throws {
    let caller = try context.caller
    let id = failures.take { () throws(FieldFailure) in try RequestID.parse(requestID) }
    memberID =
      failures.take { () throws(FieldFailure) in
        try caller.member(named: name, field: field)
      } ?? ""
    self.reason =
      failures.take { () throws(FieldFailure) in
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
    _ decide: @escaping @Sendable (KnownMember, inout Commit) throws -> Reply
  ) async throws -> Reply {
    let ledger = keys.ledger
    let bytes = try await database.write {
      ledger.once(order.key, payload: order.payload, at: order.now) {
        .read(
          StaffScope.query(of: order.caller), MemberStore.byID(order.memberID)
        ) { scope, known in
          guard let known, !known.person.isErased, order.caller.actsFor(known, scope) else {
            throw MembersError.memberNotFound
          }
          guard order.etag.isEmpty || order.etag == known.member.etag else {
            throw CommonFailure.etagMismatch
          }
          var commit = Commit(at: order.now)
          let reply = try decide(known, &commit)
          commit.record(
            AuditEntry(
              actor: order.caller.subject, action: action, target: "members/\(order.memberID)",
              reason: order.reason))
          return .commit(commit, try reply.wireBytes())
        }
      }
    }
    return try Reply(wireBytes: bytes)
  }
}
