import Foundation
public import Logging
import ServiceKit
import Storage

/// Adds the appended count changes of memberships to the counters: of the organization, of all its
/// ancestors, and of the whole tree.
///
/// Any replica may fold at any time. A fold is guarded by the rows that it deletes and by the
/// number of folds, which a move of a subtree increments, too. So a change is counted at the
/// organization's position at the time of the fold, and a move transfers everything counted before.
struct CounterFold: Sendable {
  /// The maximum number of changes per fold: at worst some ten thousand counter rows and about 50
  /// ms.
  private static let changesMax = 500

  let database: any Database
  let now: Date

  /// - Returns: The number of folded changes.
  func foldOnce() async throws -> Int {
    let now = now
    return try await database.write {
      .read(Self.version, Self.changes) { version, changes in
        guard !changes.isEmpty else { return .reply(0) }
        var commit = Commit(at: now)
        commit.run(
          """
          INSERT INTO count_folds (id, version) VALUES (1, ?2)
          ON CONFLICT (id) DO UPDATE SET version = ?2
          WHERE count_folds.version = ?1
          """, [version ?? 0, (version ?? 0) + 1], expects: .exactly(1))
        var totals = CounterTotals()
        for sum in Self.sums(of: changes) {
          totals.add(sum.cell, at: sum.path, members: sum.members, joinings: sum.joinings)
        }
        totals.store(into: &commit)
        Self.takeAway(changes, &commit)
        return .commit(commit, changes.count)
      }
    }
  }

  /// The number of folds; `nil` before the first one.
  private static let version = Query<Int64?>.first(
    "SELECT version FROM count_folds WHERE id = 1"
  ) { try $0.integer("version") }

  private static let changes = Query<[CountChange]>.all(
    """
    SELECT c.member_id, c.version, c.part, c.organization_id, c.state, c.occupation_group,
      c.channel, c.campaign, c.day, c.members, c.joinings, o.path
    FROM count_changes AS c JOIN organizations AS o ON o.id = c.organization_id
    ORDER BY c.member_id, c.version, c.part LIMIT ?1
    """, [changesMax], CountChange.init)

  /// Returns one change per organization and combination of dimensions: the people of a ceremony
  /// differ in neither, and each sum is added to the counters of many levels.
  private static func sums(of changes: [CountChange]) -> some Collection<CountChange> {
    changes.reduce(into: [CounterStore.Cell: CountChange]()) { sums, change in
      if sums[change.cell] == nil {
        sums[change.cell] = change
      } else {
        sums[change.cell]?.members += change.members
        sums[change.cell]?.joinings += change.joinings
      }
    }.values
  }

  /// Deletes the folded changes, but no later ones of the same members.
  private static func takeAway(_ changes: [CountChange], _ commit: inout Commit) {
    guard let last = changes.last else { return }
    let members = InList(Set(changes.map(\.memberID)).sorted(), first: 4)
    commit.run(
      """
      DELETE FROM count_changes
      WHERE member_id IN \(members.sql) AND (member_id, version, part) <= (?1, ?2, ?3)
      """, [last.memberID, last.version, last.part] + members.arguments,
      expects: .exactly(changes.count))
  }
}

/// The effect of one change of a membership on the counts.
struct CountChange: Sendable {
  var memberID: String
  var version: Int64
  var part: Int64
  var path: String
  var cell: CounterStore.Cell
  var members: Int64
  var joinings: Int64

  init(_ row: Row) throws {
    memberID = try row.text("member_id")
    version = try row.integer("version")
    part = try row.integer("part")
    path = try row.text("path")
    cell = CounterStore.Cell(
      organization: try row.text("organization_id"), day: try row.int("day"),
      group: try row.int32("occupation_group"), channel: try row.int32("channel"),
      campaign: try row.text("campaign"), state: try row.int32("state"))
    members = try row.integer("members")
    joinings = try row.integer("joinings")
  }
}

/// Sums by counter, to be added to the stored counters.
struct CounterTotals: Sendable {
  /// The number of counters per full statement. Further rows go to single-row statements, so that a
  /// fold has only two texts per table.
  private static let rowsPerStatement = 64

  private struct Sum: Sendable {
    var own: Int64 = 0
    var members: Int64 = 0

    mutating func add(_ count: Int64, _ isOwn: Bool) {
      members += count
      if isOwn { own += count }
    }
  }

  private var memberships: [CounterStore.Cell: Sum] = [:]
  private var enrollments: [CounterStore.Cell: Sum] = [:]

  /// Adds the counts of an organization for it and all its ancestors.
  ///
  /// - Parameters:
  ///   - path: The path of the organization.
  ///   - members: The change of its members with the cell's state, group and channel.
  ///   - joinings: The number of its new members with the cell's day, group, channel and campaign.
  mutating func add(
    _ change: CounterStore.Cell, at path: String, members: Int64, joinings: Int64
  ) {
    for organization in Self.levels(of: path) {
      let isOwn = organization == change.organization
      if members != 0 {
        var cell = change
        (cell.organization, cell.day, cell.campaign) = (organization, 0, "")
        memberships[cell, default: Sum()].add(members, isOwn)
      }
      if joinings != 0 {
        var cell = change
        (cell.organization, cell.state) = (organization, 0)
        enrollments[cell, default: Sum()].add(joinings, isOwn)
      }
    }
  }

  /// Returns the organizations whose counters include an organization: the whole tree ('') and
  /// those of its path.
  static func levels(of path: String) -> [String] {
    var levels = [""]
    // As bytes, because finding the boundaries of characters is slow.
    var rest = path.utf8[...]
    while !rest.isEmpty {
      levels.append(String(Substring(rest.prefix(StoredOrganization.idCharacters))))
      rest = rest.dropFirst(StoredOrganization.idCharacters)
    }
    return levels
  }

  func store(into commit: inout Commit) {
    upsert(
      "subtree_members", ["organization_id", "state", "occupation_group", "channel"],
      memberships.map { cell, sum in
        [cell.organization, cell.state, cell.group, cell.channel, sum.own, sum.members]
      }, &commit)
    upsert(
      "subtree_enrollments", ["organization_id", "day", "occupation_group", "channel", "campaign"],
      enrollments.map { cell, sum in
        [
          cell.organization, cell.day, cell.group, cell.channel, cell.campaign, sum.own,
          sum.members,
        ]
      }, &commit)
  }

  private func upsert(
    _ table: String, _ key: [String], _ rows: [[any SQLValueConvertible]],
    _ commit: inout Commit
  ) {
    let width = key.count + 2
    var rest = rows[...]
    while !rest.isEmpty {
      let count = rest.count < Self.rowsPerStatement ? 1 : Self.rowsPerStatement
      let places = (0..<count).map { row in
        "(" + (1...width).map { "?\(row * width + $0)" }.joined(separator: ", ") + ")"
      }
      commit.run(
        """
        INSERT INTO \(table) (\(key.joined(separator: ", ")), own, members)
        VALUES \(places.joined(separator: ", "))
        ON CONFLICT (\(key.joined(separator: ", "))) DO UPDATE SET
          own = \(table).own + excluded.own, members = \(table).members + excluded.members
        """, rest.prefix(count).flatMap { $0 }, expects: .exactly(count))
      rest = rest.dropFirst(count)
    }
  }
}

extension Commit {
  /// Moves the counts of a subtree, in the commit that changes the moved organization's path.
  ///
  /// - Parameters:
  ///   - from: The moved organization's previous path.
  ///   - to: Its new path.
  mutating func moveCounts(from: String, to: String) {
    run(
      """
      INSERT INTO count_folds (id, version) VALUES (1, 1)
      ON CONFLICT (id) DO UPDATE SET version = count_folds.version + 1
      """, expects: .exactly(1))
    let moved = String(from.suffix(32))
    let (left, entered) = (CounterTotals.levels(of: from), CounterTotals.levels(of: to))
    let steps =
      left.filter { !entered.contains($0) }.map { ($0, "-members") }
      + entered.filter { !left.contains($0) }.map { ($0, "members") }
    for (organization, members) in steps {
      for (table, key) in [
        ("subtree_members", "state, occupation_group, channel"),
        ("subtree_enrollments", "day, occupation_group, channel, campaign"),
      ] {
        run(
          """
          INSERT INTO \(table) (organization_id, \(key), own, members)
          SELECT ?1, \(key), 0, \(members) FROM \(table) WHERE organization_id = ?2
          ON CONFLICT (organization_id, \(key))
          DO UPDATE SET members = \(table).members + excluded.members
          """, [organization, moved])
      }
    }
  }
}

extension MembersService {
  /// The interval between folds; unfolded changes slow down readers slightly.
  private static let foldPause = Duration.milliseconds(500)

  /// Folds all pending changes.
  func foldCounters() async throws {
    while try await CounterFold(database: database, now: clock.now).foldOnce() > 0 {
      try Task.checkCancellation()
    }
  }

  /// Folds the counters and counts units periodically until the task is canceled. Failures are
  /// logged and retried.
  public func foldCounters(logger: Logger) async {
    while !Task.isCancelled {
      await attempt("counters not folded", logger) { try await foldCounters() }
      // Units are counted even if folding the counters fails.
      await attempt("units not counted", logger) { try await foldUnits() }
      // Polls, because there is no condition to await.
      try? await Task.sleep(for: Self.foldPause)
    }
  }

  private func attempt(
    _ failure: Logger.Message, _ logger: Logger, _ fold: () async throws -> Void
  ) async {
    do {
      try await fold()
    } catch {
      if !Task.isCancelled { logger.warning(failure, metadata: ["cause": "\(error)"]) }
    }
  }
}
