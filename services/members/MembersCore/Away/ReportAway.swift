import Foundation
public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Reports that a member will be away for half a year or more.
  public func reportAway(
    _ request: ReportAwayRequest, context: ServerContext
  ) async throws -> ReportAwayResponse {
    var payload = request
    payload.requestID = ""
    let caller = try context.caller
    let now = clock.now
    var checks = FieldChecks()
    let requestID = checks.requestID(request.requestID)
    let memberID = checks.take { () throws(FieldFailure) in
      try caller.member(named: request.member, field: "member")
    }
    let plan = AwayPlan(
      departure: request.departureDate, return: request.returnDate, details: request.details,
      today: ChinaDate(microseconds: now.microseconds).daysSinceEpoch, &checks)
    try checks.check()
    let (keys, id, member) = (keys, ids.next(), memberID ?? "")
    let reply = try await writeOnce(
      requestID ?? "", payload: try payload.wireBytes(), at: now, context
    ) {
      .read(
        StaffScope.query(of: caller), MemberStore.byID(member), AwayStore.open(of: member)
      ) { scope, known, open in
        guard let known, !known.person.isErased, caller.actsFor(known, scope) else {
          throw MembersError.memberNotFound
        }
        guard known.member.state.isLive else { throw MembersError.membershipState }
        guard open == nil else { throw MembersError.awayReportOpen }
        try plan.checkDeparture()
        let report = StoredAwayReport(
          id: id, memberID: member, organizationID: known.member.managingOrganizationID,
          managingOrganizationID: known.member.managingOrganizationID,
          state: .reported, departureDay: plan.departureDay, returnDay: plan.returnDay,
          details: try plan.sealed(try keys.personKey(of: known.person)),
          reporter: caller.subject, sample: nil, check: .unspecified, version: 1,
          created: now.microseconds)
        var commit = Commit(at: now)
        // Guards against a concurrent end of the membership or erasure.
        commit.run(MemberStore.isStill(known.member))
        AwayStore.insert(report, into: &commit)
        commit.emit(try .changed(report))
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "awayReports.report", target: "awayReports/\(id)"))
        return .commit(commit, try report.message.wireBytes())
      }
    }
    return try .with { $0.report = try AwayReport(wireBytes: reply) }
  }
}
