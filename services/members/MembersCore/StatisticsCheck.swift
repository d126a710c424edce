import ServiceKit
import Storage

/// Counts again what the counters say, beside the service's work.
///
/// Members by state: organizations at a time, counter and count from one snapshot. New members by
/// day: the whole log, for the days before today, which nobody changes any more.
struct StatisticsCheck: Sendable {
  private static let organizationsPerRead = 100
  private static let entriesPerRead = 5_000
  /// Lines of a report: whoever has more has another problem.
  private static let findingsMax = 1_000

  let database: any Database
  /// In China, in days since 1970-01-01.
  let today: Int

  /// - Returns: A line for each counter that is wrong.
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
      let (said, counted, enrollments) = try await database.read(
        members.kept, members.counted,
        CounterStore.enrollments(from: first, through: last, before: today))
      findings += Self.differences(said, counted)
      for (cell, members) in enrollments { kept[cell] = members }
      (first, done) = (last, done + ids.count)
      try await report("organizations", done, max(done, organizations))
    }
    findings += Self.differences(kept, try await joinings(report))
    return Array(findings.prefix(Self.findingsMax))
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

  private static func differences(
    _ said: [CounterStore.Cell: Int64], _ counted: [CounterStore.Cell: Int64]
  ) -> [String] {
    Set(said.keys).union(counted.keys).filter { said[$0] != counted[$0] }.map { cell in
      let what =
        cell.day == 0
        ? "members in state \(cell.state)"
        : "new members on day \(cell.day), group \(cell.group), channel \(cell.channel)"
      return """
        organizations/\(cell.organization): \(what): the counter says \(said[cell] ?? 0), \
        a count \(counted[cell] ?? 0)
        """
    }.sorted()
  }
}
