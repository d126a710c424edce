import MembersV1
import Storage

/// The organizations that determine in which township a member is counted.
struct UnitLevels: Sendable {
  /// The region codes of those that stand for a township, by id.
  private(set) var townships: [String: String]
  /// The enterprise unions.
  private let unions: Set<String>

  /// Reads those of the organizations of some paths.
  static func of(paths: [String]) -> Query<UnitLevels> {
    let list = InList(Set(paths.flatMap(identifiers)).sorted(), first: 3)
    return Query(
      """
      SELECT id, kind, level, region_code FROM organizations
      WHERE (level = ?1 OR kind = ?2) AND id IN \(list.sql)
      """,
      [OrganizationLevel.township.rawValue, OrganizationKind.enterpriseUnion.rawValue]
        + list.arguments
    ) { rows in
      var (townships, unions): ([String: String], Set<String>) = ([:], [])
      for row in rows {
        let id = try row.text("id")
        if try row.int32("kind") == OrganizationKind.enterpriseUnion.rawValue {
          unions.insert(id)
        } else {
          townships[id] = try row.text("region_code")
        }
      }
      return UnitLevels(townships: townships, unions: unions)
    }
  }

  /// Returns the nearest township at or above a path; `nil` if there is none, or if the path is
  /// that of an enterprise union or below one: its branches and groups have a union.
  func township(of path: String) -> String? {
    let levels = Self.identifiers(path)
    guard !levels.contains(where: unions.contains) else { return nil }
    return levels.last { townships[$0] != nil }
  }

  mutating func add(_ units: [PlacedUnit]) {
    for placed in units { townships[placed.unit.organizationID] = placed.regionCode }
  }

  private static func identifiers(_ path: String) -> [String] {
    Array(CounterTotals.levels(of: path).dropFirst())
  }
}
