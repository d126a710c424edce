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
    let figures = CoverageFigures(all, of: request.group, base: base, target: target)
    var response = GetCoverageResponse()
    response.organization = id.isEmpty ? "" : "organizations/\(id)"
    response.members = figures.coverage.members
    response.retainedMembers = figures.retained
    response.onlineMembers = figures.online
    response.date = .day(ChinaDate(microseconds: clock.microseconds).daysSinceEpoch)
    response.base = base?.message
    response.coverageBasisPoints = figures.coverage.basisPoints
    response.target = target?.message
    response.peopleNeeded = figures.coverage.peopleNeeded
    return response
  }
}

/// The figures of one subtree and group.
struct CoverageFigures: Sendable {
  let coverage: Coverage
  let retained: Int64
  let online: Int64

  init(
    _ all: [CounterStore.MemberRow], of group: OccupationGroup, base: StoredBase?,
    target: StoredTarget?
  ) {
    let rows = all.filter { group == .unspecified || $0.group == group }
    let counted = rows.filter { [.pooled, .active].contains($0.state) }
    coverage = Coverage(
      members: counted.reduce(0) { $0 + $1.members }, base: base?.people,
      target: target?.message.map { Int64($0.basisPoints) })
    retained = rows.filter { $0.state == .retained }.reduce(0) { $0 + $1.members }
    online = counted.filter { MembersV1.Channel.online.contains($0.channel) }
      .reduce(0) { $0 + $1.members }
  }
}
