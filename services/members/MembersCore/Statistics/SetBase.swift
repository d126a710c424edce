import Foundation
public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Sets the number of people of a group to be organized, with source and day.
  public func setBase(
    _ request: SetBaseRequest, context: ServerContext
  ) async throws -> SetBaseResponse {
    let now = clock.now
    let order = try BaseOrder(
      request, today: ChinaDate(microseconds: now.microseconds).daysSinceEpoch)
    let base = order.base
    var payload = request
    payload.requestID = ""
    var response = SetBaseResponse()
    response.base = try Base(
      wireBytes: try await setCoverage(
        of: base.organizationID, base.group, action: "coverage.setBase", order.requestID,
        payload: try payload.wireBytes(), at: now, context
      ) { target, newest, commit in
        commit.run(CoverageStore.set(base))
        let isNewest = newest.map { $0.day <= base.day } ?? true
        commit.emit(try .changed(target, newest: isNewest ? base : newest))
        return try base.message.wireBytes()
      })
    return response
  }

  /// Changes the base or the target of an organization's group, once per request id.
  ///
  /// - Parameter change: Receives the target, which it may edit and whose version is incremented,
  ///   and the newest base; returns the reply.
  func setCoverage(
    of organizationID: String, _ group: OccupationGroup, action: String, _ requestID: String,
    payload: [UInt8], at now: Foundation.Date, _ context: ServerContext,
    _ change:
      @escaping @Sendable (inout StoredTarget, StoredBase?, inout Commit) throws -> [UInt8]
  ) async throws -> [UInt8] {
    let caller = try context.caller
    return try await writeOnce(requestID, payload: payload, at: now, context) {
      .read(
        StaffScope.query(of: caller), OrganizationStore.byID(organizationID),
        CoverageStore.target(of: organizationID, group),
        CoverageStore.newestBase(of: organizationID, group)
      ) { scope, organization, target, newest in
        guard let organization else { throw MembersError.organizationNotFound }
        guard scope.holds(organization.path) else { throw CommonFailure.outOfScope }
        var target =
          target
          ?? StoredTarget(
            organizationID: organizationID, group: group, basisPoints: 0, dueDay: nil, version: 0)
        target.version += 1
        var commit = Commit(at: now)
        let reply = try change(&target, newest, &commit)
        commit.run(CoverageStore.set(target))
        commit.record(
          AuditEntry(
            actor: caller.subject, action: action, target: "organizations/\(organizationID)"))
        return .commit(commit, reply)
      }
    }
  }
}

/// The validated base of a request.
private struct BaseOrder: Sendable {
  private static let peopleMax: Int64 = 2_000_000_000
  private static let qualifierCharactersMax = 8
  private static let sourceCharacters = 2...200

  let requestID: String
  let base: StoredBase

  init(_ request: SetBaseRequest, today: Int) throws {
    var checks = FieldChecks()
    let raw = request.base ?? Base()
    requestID =
      checks.requestID(request.requestID) ?? ""
    let organizationID = checks.resource(raw.organization, of: "organizations", "base.organization")
    if case .unrecognized = raw.group { checks.add([.invalidValue("base.group")]) }
    if !(1...Self.peopleMax).contains(raw.people) {
      checks.add(
        "base.people", "OUT_OF_RANGE",
        LocalizedText(zh: "基数应为 1 至 20 亿。", en: "must be 1 to 2,000,000,000."))
    }
    let qualifier = checks.take { () throws(FieldFailure) in
      try PlainText.checked(
        raw.qualifier, field: "base.qualifier", characters: 0...Self.qualifierCharactersMax)
    }
    let source = checks.take { () throws(FieldFailure) in
      try PlainText.checked(raw.source, field: "base.source", characters: Self.sourceCharacters)
    }
    let day = checks.day(raw.date, "base.date")
    if raw.date == nil { checks.add([.required("base.date")]) }
    if let day, day > today { checks.add([.inFuture("base.date")]) }
    try checks.check()
    base = StoredBase(
      organizationID: organizationID ?? "", group: raw.group, day: day ?? today,
      people: raw.people, qualifier: qualifier ?? "", source: source ?? "")
  }
}
