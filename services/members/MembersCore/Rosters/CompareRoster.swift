import Foundation
public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// The maximum number of roster messages in progress: enough to overlap reading, hashing and
  /// answering, with at most 16,384 rows in memory.
  private static let rosterMessagesInFlight = 4

  /// Compares a roster with the registry: whether each person is a member, here or elsewhere.
  public func compareRoster(
    _ requests: RequestStream<CompareRosterRequest>,
    responses: ResponseWriter<CompareRosterResponse>, context: ServerContext
  ) async throws {
    var first = requests.makeAsyncIterator()
    guard let request = try await first.next(), case .header(let header)? = request.part else {
      throw FieldFailure.required("header")
    }
    let caller = try context.caller
    let comparison = try await begin(header, caller)
    let pipeline = RecordPipeline<CompareRosterRequest, CompareRosterResponse>(
      window: Self.rosterMessagesInFlight,
      answer: { request in
        guard case .rows(let rows)? = request.part else {
          throw FieldFailure.invalidValue("part")
        }
        // Hashing and decrypting names take milliseconds, which must not block the connection's
        // event loop.
        let results = try await withTaskExecutorPreference(globalConcurrentExecutor) {
          try await comparison.compare(rows.rows)
        }
        return .with { $0.part = .results(results) }
      })
    try await pipeline.run(requests, responses)
    let summary = try await comparison.summary()
    try await responses.send(.with { $0.part = .summary(summary) })
  }

  /// Validates the header, and records the comparison in the audit log before any verdict is sent.
  private func begin(_ header: RosterHeader, _ caller: Caller) async throws -> RosterComparison {
    let purpose = try PlainText.checked(
      header.purpose, field: "header.purpose", characters: 4...200)
    let range = try await subtree(
      of: header.organization, for: caller, field: "header.organization")
    let now = clock.now
    let root = range.organizationID
    let intake = try await intake(header.outreachList, caller)
    try await database.write(
      Commit(
        at: now,
        audit: [
          AuditEntry(
            actor: caller.subject, action: "members.compareRoster",
            target: root.isEmpty ? "organizations" : "organizations/\(root)", reason: purpose)
        ]))
    return RosterComparison(
      database: database, keys: keys, range: range, quotaOf: caller.organization,
      rowsPerDay: Int64(configuration.rosterRowsPerDay), now: now,
      intake: intake)
  }

  /// Returns the outreach list to which people who are not members are added; `nil` if none is
  /// named.
  ///
  /// - Throws: ``MembersError/outreachNotFound``, ``MembersError/outreachState``.
  private func intake(_ list: String, _ caller: Caller) async throws -> OutreachIntake? {
    guard !list.isEmpty else { return nil }
    let id = try ResourceName.parse(
      list, collection: "outreachLists", field: "header.outreach_list")
    var named = try await outreachList(id, for: caller)
    try named.apply(.add)
    return OutreachIntake(
      database: database, keys: keys, ids: ids, listID: id, now: clock.now)
  }
}
