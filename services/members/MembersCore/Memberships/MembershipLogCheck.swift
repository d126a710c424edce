import ServiceKit
import Storage

/// Folds the log of every membership, and compares with the row: an entry a version, each from the
/// state that the one before left, the last one with the row's state and organizations.
struct MembershipLogCheck: Sendable {
  private static let membersPerRead = 1_000
  /// Lines of a report: whoever has more has another problem.
  private static let findingsMax = 1_000

  let database: any Database

  /// - Returns: A line for each membership that is not the fold of its log.
  func run(report: TaskReport) async throws -> [String] {
    var findings: [String] = []
    var (after, done) = ("", 0)
    while findings.count < Self.findingsMax {
      let page = MembershipLog.unfolded(after: after, limit: Self.membersPerRead)
      let (last, wrong) = try await database.read(page.last, page.wrong)
      guard let last else { break }
      findings += wrong.map { "members/\($0): the membership is not the fold of its log" }
      (after, done) = (last, done + Self.membersPerRead)
      try await report("memberships", done, 0)
    }
    return Array(findings.prefix(Self.findingsMax))
  }
}
