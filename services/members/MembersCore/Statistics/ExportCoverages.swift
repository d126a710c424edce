import GoogleType
public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  private static let coverageRows = 500

  /// Streams the coverages of an organization and of those directly below it, as a CSV file.
  public func exportCoverages(
    _ request: ExportCoveragesRequest, responses: ResponseWriter<ExportCoveragesResponse>,
    context: ServerContext
  ) async throws {
    if case .unrecognized = request.group { throw FieldFailure.invalidValue("group") }
    let range = try await subtree(
      of: request.parent, for: try context.caller, field: "parent")
    let day = ChinaDate(microseconds: clock.microseconds).description
    let id = range.organizationID
    let (organization, rows, base, target) = try await database.read(
      OrganizationStore.byID(id), CounterStore.memberRows(of: range),
      CoverageStore.newestBase(of: id, request.group), CoverageStore.target(of: id, request.group))
    var csv = CSVText.byteOrderMark + CSVText.line(OrganizationCoverage.columns)
    if let organization {
      csv +=
        organization.coverage(rows, of: request.group, base: base, target: target)
        .line(on: day, request.group)
    }
    var after: String? = ""
    while let place = after {
      let (rows, last) = try await coverages(
        below: range, request.group, after: .text(place), limit: Self.coverageRows)
      for row in rows { csv += row.line(on: day, request.group) }
      after = last
      try await responses.send(.with { $0.csv = csv })
      csv = []
    }
  }
}

extension OrganizationCoverage {
  fileprivate static let columns = [
    "organization", "organization_name", "day", "group", "members", "online_members",
    "offline_members", "online_percent", "retained_members", "base", "base_qualifier", "base_day",
    "base_source", "coverage_percent", "target_percent", "people_needed",
  ]

  /// Cells without a base or a target are empty.
  fileprivate func line(on day: String, _ group: OccupationGroup) -> [UInt8] {
    let baseDay = base?.date.flatMap {
      ChinaDate(year: Int($0.year), month: Int($0.month), day: Int($0.day))
    }
    let online = members > 0 ? onlineMembers * Coverage.whole / members : nil
    return CSVText.line([
      externalID, organizationName, day,
      group == .unspecified
        ? "ALL" : String(group.protoName?.dropFirst("OCCUPATION_GROUP_".count) ?? ""),
      "\(members)", "\(onlineMembers)", "\(members - onlineMembers)",
      online.map(Self.percent) ?? "", "\(retainedMembers)",
      base.map { "\($0.people)" } ?? "", base?.qualifier ?? "", baseDay?.description ?? "",
      base?.source ?? "", base == nil ? "" : Self.percent(Int64(coverageBasisPoints)),
      target.map { Self.percent(Int64($0.basisPoints)) } ?? "",
      base == nil || target == nil ? "" : "\(peopleNeeded)",
    ])
  }

  /// Basis points as percent with two decimals.
  private static func percent(_ basisPoints: Int64) -> String {
    let hundredths = basisPoints % 100
    return "\(basisPoints / 100).\(hundredths < 10 ? "0" : "")\(hundredths)"
  }
}
