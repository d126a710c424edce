public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Returns the coverage of the base in a subtree, from counters.
  public func getCoverage(
    _ request: GetCoverageRequest, context: ServerContext
  ) async throws -> GetCoverageResponse {
    if case .unrecognized = request.group { throw FieldFailure.invalidValue("group") }
    let range = try await subtree(
      of: request.organization, for: try context.caller, field: "organization")
    let id = range.organizationID
    let (all, base, target) = try await database.read(
      CounterStore.memberRows(of: range), CoverageStore.newestBase(of: id, request.group),
      CoverageStore.target(of: id, request.group))
    let rows = all.filter { request.group == .unspecified || $0.group == request.group }
    let sum = { (isCounted: (CounterStore.MemberRow) -> Bool) in
      rows.filter(isCounted).reduce(0) { $0 + $1.members }
    }
    let coverage = Coverage(
      members: sum { [.pooled, .active].contains($0.state) }, base: base?.people,
      target: target?.message.map { Int64($0.basisPoints) })
    var response = GetCoverageResponse()
    response.organization = id.isEmpty ? "" : "organizations/\(id)"
    response.members = coverage.members
    response.retainedMembers = sum { $0.state == .retained }
    response.onlineMembers = sum {
      [.pooled, .active].contains($0.state) && MembersV1.Channel.online.contains($0.channel)
    }
    response.date = .day(ChinaDate(microseconds: clock.microseconds).daysSinceEpoch)
    response.base = base?.message
    response.coverageBasisPoints = coverage.basisPoints
    response.target = target?.message
    response.peopleNeeded = coverage.peopleNeeded
    return response
  }
}
