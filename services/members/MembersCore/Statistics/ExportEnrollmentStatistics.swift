public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  private static let exportRows = 1_000

  /// Streams the new members of every organization of a subtree by day, group, channel and
  /// campaign, as a CSV file.
  public func exportEnrollmentStatistics(
    _ request: ExportEnrollmentStatisticsRequest,
    responses: ResponseWriter<ExportEnrollmentStatisticsResponse>, context: ServerContext
  ) async throws {
    let today = ChinaDate(microseconds: clock.microseconds).daysSinceEpoch
    let days = try DayRange(start: request.startDate, end: request.endDate, today: today)
    let range = try await subtree(of: request.ancestor, for: try context.caller)
    // Own counts come from the folded counters only.
    try await foldCounters()
    var csv = CSVText.byteOrderMark
    csv += CSVText.line([
      "organization", "organization_name", "day", "group", "channel", "campaign", "new_members",
    ])
    var place = CounterStore.ExportPlace()
    var isLast = days.days == nil
    while !isLast, let days = days.days {
      let (rest, following) = try await database.read(
        CounterStore.export(at: place, days: days, limit: Self.exportRows),
        CounterStore.export(of: range, after: place.path, days: days, limit: Self.exportRows))
      let rows = (rest + following).prefix(Self.exportRows)
      for row in rows { csv += row.line }
      isLast = rows.count < Self.exportRows
      place = rows.last?.place ?? place
      if !isLast {
        try await responses.send(.with { $0.csv = csv })
        csv = []
      }
    }
    try await responses.send(.with { $0.csv = csv })
  }
}

extension CounterStore {
  /// The position of the last row of a part.
  struct ExportPlace: Sendable {
    var path = ""
    var day = 0
    var group: Int32 = 0
    var channel: Int32 = 0
    var campaign = ""
  }

  struct ExportRow: Sendable {
    var place: ExportPlace
    var externalID: String
    var name: String
    var members: Int64

    fileprivate var line: [UInt8] {
      let name = { (value: String?, prefix: String) in
        value.map { String($0.dropFirst(prefix.count)) } ?? ""
      }
      return CSVText.line([
        externalID, self.name, ChinaDate(daysSinceEpoch: place.day).description,
        name(OccupationGroup(rawValue: place.group).protoName, "OCCUPATION_GROUP_"),
        name(MembersV1.Channel(rawValue: place.channel).protoName, "CHANNEL_"), place.campaign,
        String(members),
      ])
    }
  }

  private static let exported = """
    SELECT o.path, o.external_id, o.display_name, c.day, c.occupation_group, c.channel, \
    c.campaign, c.own FROM organizations AS o \
    JOIN subtree_enrollments AS c ON c.organization_id = o.id
    """

  /// Returns the remaining rows of the organization in which a part ended.
  fileprivate static func export(
    at place: ExportPlace, days: ClosedRange<Int>, limit: Int
  ) -> Query<[ExportRow]> {
    .all(
      """
      \(exported) WHERE o.path = ?1 AND c.day >= ?2 AND c.day <= ?3 AND c.own <> 0
        AND (c.day, c.occupation_group, c.channel, c.campaign) > (?4, ?5, ?6, ?7)
      ORDER BY c.day, c.occupation_group, c.channel, c.campaign LIMIT ?8
      """,
      [
        place.path, days.lowerBound, days.upperBound, place.day, place.group, place.channel,
        place.campaign, limit,
      ], exportRow)
  }

  /// Returns the rows of a subtree's organizations after one, in tree order.
  fileprivate static func export(
    of range: PathRange, after path: String, days: ClosedRange<Int>, limit: Int
  ) -> Query<[ExportRow]> {
    .all(
      """
      \(exported) WHERE o.path >= ?1 AND o.path < ?2 AND o.path > ?3
        AND c.day >= ?4 AND c.day <= ?5 AND c.own <> 0
      ORDER BY o.path, c.day, c.occupation_group, c.channel, c.campaign LIMIT ?6
      """, [range.first, range.end, path, days.lowerBound, days.upperBound, limit], exportRow)
  }

  @Sendable private static func exportRow(_ row: Row) throws -> ExportRow {
    ExportRow(
      place: ExportPlace(
        path: try row.text("path"), day: try row.int("day"),
        group: try row.int32("occupation_group"), channel: try row.int32("channel"),
        campaign: try row.text("campaign")),
      externalID: try row.text("external_id"), name: try row.text("display_name"),
      members: try row.integer("own"))
  }
}

/// Lines of a CSV file (RFC 4180) for spreadsheets.
enum CSVText {
  /// Marks the text as UTF-8 for spreadsheets.
  static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  /// Returns a line with its line break. Cells that a spreadsheet would interpret as formulas are
  /// prefixed with an apostrophe.
  static func line(_ cells: [String]) -> [UInt8] {
    Array((cells.map(cell).joined(separator: ",") + "\r\n").utf8)
  }

  private static func cell(_ text: String) -> String {
    let shown = text.first.map { "=+-@\t\r".contains($0) } == true ? "'" + text : text
    guard shown.utf8.contains(where: { [0x22, 0x2C, 0x0A, 0x0D].contains($0) }) else {
      return shown
    }
    return "\"" + shown.replacing("\"", with: "\"\"") + "\""
  }
}
