import Foundation
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage

/// The validated common fields of a judgement of one possible duplicate.
struct DuplicateOrder: Sendable {
  let caller: Caller
  let key: RequestKey
  /// The serialized request without its request id.
  let payload: [UInt8]
  let duplicateID: String
  /// The expected etag; empty for no check.
  let etag: String
  let reason: String
  /// The identifier for a new merge.
  let newID: String
  let now: Date

  var act: Act { Act(actor: caller.subject, now: now) }

  /// - Parameters:
  ///   - payload: The request with its request id cleared.
  ///   - checks: Collects invalid fields, to which the RPC adds its own.
  init(
    _ context: ServerContext, requestID: String, name: String, etag: String, reason: String,
    newID: String, payload: some Message, at now: Date, _ checks: inout FieldChecks
  ) throws {
    let caller = try context.caller
    let id = checks.requestID(requestID)
    duplicateID =
      checks.resource(name, of: "duplicates", "name") ?? ""
    self.reason =
      checks.take { () throws(FieldFailure) in try caller.checked(reason: reason) } ?? ""
    key = RequestKey(caller: caller.subject, method: context.method.path, requestID: id ?? "")
    self.payload = try payload.wireBytes()
    self.caller = caller
    self.etag = etag
    self.newID = newID
    self.now = now
  }

  /// Returns the final step, with the audit entry and the changed duplicate as the reply.
  func end(_ duplicate: StoredDuplicate, _ action: String, _ commit: Commit) throws
    -> Step<[UInt8]>
  {
    var commit = commit
    commit.run(DuplicateStore.update(duplicate))
    commit.emit(try .changed(duplicate))
    commit.record(
      AuditEntry(
        actor: caller.subject, action: action, target: "duplicates/\(duplicateID)",
        reason: reason))
    return .commit(commit, try duplicate.message.wireBytes())
  }
}

/// The data read for a judgement, from one snapshot.
struct DuplicateFacts: Sendable {
  var duplicate: StoredDuplicate
  /// The membership of the later enrolled person; `nil` if not a member.
  var person: MemberFacts?
  /// The membership of the earlier enrolled person; `nil` if not a member.
  var other: MemberFacts?
  /// The records merged into each person.
  var mergedInto: [String: [String]]
  /// The open corrections of both.
  var corrections: [StoredCorrection]
}

extension MembersService {
  /// Executes one judgement: ledger, scope, etag, decision.
  ///
  /// - Throws: ``MembersError/duplicateNotFound`` unless the caller has both in scope;
  ///   ``CommonFailure/etagMismatch``.
  func judge(
    _ order: DuplicateOrder,
    _ decide: @escaping @Sendable (DuplicateFacts) throws -> Step<[UInt8]>
  ) async throws -> Duplicate {
    let ledger = keys.ledger
    let bytes = try await database.write {
      ledger.once(order.key, payload: order.payload, at: order.now) {
        .read(
          StaffScope.query(of: order.caller), DuplicateStore.byID(order.duplicateID)
        ) { scope, duplicate in
          guard let duplicate, duplicate.isHeld(by: scope) else {
            throw MembersError.duplicateNotFound
          }
          let (one, two) = (duplicate.personID, duplicate.otherPersonID)
          return .read(
            DuplicateStore.byID(order.duplicateID), MemberStore.byID(one),
            PoolCaseStore.open(of: one), TransferStore.open(of: one),
            AwayStore.openReport(of: one),
            MemberStore.byID(two), PoolCaseStore.open(of: two), TransferStore.open(of: two),
            AwayStore.openReport(of: two),
            DuplicateStore.merged(into: one), DuplicateStore.merged(into: two),
            CorrectionStore.open(of: [one, two])
          ) {
            duplicate, person, case1, transfer1, away1, other, case2, transfer2, away2, into1,
            into2, corrections
            in
            guard let duplicate else { throw MembersError.duplicateNotFound }
            try Etag.check(order.etag, duplicate.version)
            return try decide(
              DuplicateFacts(
                duplicate: duplicate,
                person: person.map {
                  MemberFacts(known: $0, poolCase: case1, transfer: transfer1, away: away1)
                },
                other: other.map {
                  MemberFacts(known: $0, poolCase: case2, transfer: transfer2, away: away2)
                },
                mergedInto: [one: into1, two: into2], corrections: corrections.map(\.correction)))
          }
        }
      }
    }
    return try Duplicate(wireBytes: bytes)
  }
}
