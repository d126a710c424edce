import ServiceKit
import Storage

/// Verifies every membership against its log: one entry per version, consecutive states, and a last
/// entry that matches the row's state and organizations; and against its away reports and possible
/// duplicates.
struct MembershipLogCheck: Sendable {
  private static let membersPerRead = 1_000
  /// The maximum number of lines of a report.
  private static let findingsMax = 1_000

  let database: any Database

  /// - Returns: One line per inconsistent membership.
  func run(report: TaskReport) async throws -> [String] {
    var findings: [String] = []
    var (after, done) = ("", 0)
    while findings.count < Self.findingsMax {
      let page = MembershipLog.unfolded(after: after, limit: Self.membersPerRead)
      let (last, wrong) = try await database.read(page.last, page.wrong)
      guard let last else { break }
      findings += wrong.map {
        "members/\($0): not the fold of its log, or an away report or a duplicate is elsewhere"
      }
      (after, done) = (last, done + Self.membersPerRead)
      try await report("memberships", done, 0)
    }
    return Array(findings.prefix(Self.findingsMax))
  }
}
