import ServiceKit
import Storage

/// Verifies the counters by recounts, while the service is running.
///
/// Members by state are recounted for some organizations at a time, with counters and counts from
/// one snapshot. New members by day are recounted from the whole log, for the days before today,
/// which don't change any more.
struct StatisticsCheck: Sendable {
  private static let organizationsPerRead = 100
  private static let entriesPerRead = 5_000
  /// The maximum number of lines of a report.
  private static let findingsMax = 1_000

  let database: any Database
  /// The current day in China, in days since 1970-01-01.
  let today: Int

  /// - Returns: One line per wrong counter.
  func run(report: TaskReport) async throws -> [String] {
    let organizations = try await database.read(
      Query<Int>.one("SELECT count(*) AS n FROM organizations") { try $0.int("n") })
    var findings: [String] = []
    var kept: [CounterStore.Cell: Int64] = [:]
    var (first, done) = ("", 0)
    while true {
      let after = first
      let ids = try await database.read(
        Query<[String]>.all(
          "SELECT id FROM organizations WHERE id > ?1 ORDER BY id LIMIT ?2",
          [after, Self.organizationsPerRead]
        ) { try $0.text("id") })
      guard let last = ids.last else { break }
      let members = CounterStore.members(from: first, through: last)
      let (said, counted, own, enrollments) = try await database.read(
        members.kept, members.counted, CounterStore.own(from: first, through: last),
        CounterStore.enrollments(from: first, through: last, before: today))
      findings += Self.differences(said, counted)
      findings += Self.differences(own, Self.byState(counted))
      for (cell, members) in enrollments { kept[cell] = members }
      for id in ids { findings += try await unequalSums(of: id) }
      (first, done) = (last, done + ids.count)
      try await report("organizations", done, max(done, organizations))
    }
    findings += try await unequalSums(of: "")
    findings += Self.differences(kept, try await joinings(report))
    return Array(findings.prefix(Self.findingsMax))
  }

  /// Verifies that subtree counters are the sums of the organizations' own counters.
  ///
  /// - Parameter organization: The root of the subtree; empty for the whole tree.
  private func unequalSums(of organization: String) async throws -> [String] {
    try await database.read(CounterStore.unequalSums(of: organization)).map { cell, difference in
      "\(Self.name(of: cell)) of the subtree: off its organizations' sum by \(-difference)"
    }.sorted()
  }

  private func joinings(_ report: TaskReport) async throws -> [CounterStore.Cell: Int64] {
    var counted: [CounterStore.Cell: Int64] = [:]
    var place = CounterStore.LogPlace()
    var done = 0
    while true {
      let page = try await database.read(
        CounterStore.joinings(after: place, before: today, limit: Self.entriesPerRead))
      for entry in page {
        if let cell = entry.cell { counted[cell, default: 0] += 1 }
      }
      done += page.count
      try await report("entries of the log", done, 0)
      guard page.count == Self.entriesPerRead, let last = page.last else { return counted }
      place = last.place
    }
  }

  private static func byState(
    _ cells: [CounterStore.Cell: Int64]
  ) -> [CounterStore.Cell: Int64] {
    cells.reduce(into: [:]) { sums, counted in
      let cell = CounterStore.Cell(
        organization: counted.key.organization, state: counted.key.state)
      sums[cell, default: 0] += counted.value
    }
  }

  private static func differences(
    _ said: [CounterStore.Cell: Int64], _ counted: [CounterStore.Cell: Int64]
  ) -> [String] {
    Set(said.keys).union(counted.keys).filter { said[$0] != counted[$0] }.map { cell in
      """
      \(name(of: cell)): the counter says \(said[cell] ?? 0), a count \(counted[cell] ?? 0)
      """
    }.sorted()
  }

  private static func name(of cell: CounterStore.Cell) -> String {
    let what =
      cell.state == 0
      ? "new members on day \(cell.day), campaign \"\(cell.campaign)\""
      : "members in state \(cell.state)"
    return """
      organizations/\(cell.organization): \(what), group \(cell.group), channel \(cell.channel)
      """
  }
}
