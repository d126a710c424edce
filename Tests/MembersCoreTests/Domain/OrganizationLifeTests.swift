import MembersV1
import Testing

@testable import MembersCore

@Suite("The life of an organization")
struct OrganizationLifeTests {
  private typealias Input = OrganizationLife.Input

  /// The result of every input in every state: the next state and the action, or the refusal.
  private static let table: [(OrganizationState, OrganizationLife.Input, String)] = [
    (.preparing, .approve, "ACTIVE open"),
    (.preparing, .suspend, "refused: state"),
    (.preparing, .resume, "refused: state"),
    (.preparing, .dissolve, "DISSOLVED close"),
    (.preparing, .change, "PREPARING none"),
    (.active, .approve, "refused: state"),
    (.active, .suspend, "SUSPENDED none"),
    (.active, .resume, "refused: state"),
    (.active, .dissolve, "DISSOLVED close"),
    (.active, .change, "ACTIVE none"),
    (.suspended, .approve, "refused: state"),
    (.suspended, .suspend, "refused: state"),
    (.suspended, .resume, "ACTIVE none"),
    (.suspended, .dissolve, "DISSOLVED close"),
    (.suspended, .change, "SUSPENDED none"),
    (.dissolved, .approve, "refused: dissolved"),
    (.dissolved, .suspend, "refused: dissolved"),
    (.dissolved, .resume, "refused: dissolved"),
    (.dissolved, .dissolve, "refused: dissolved"),
    (.dissolved, .change, "refused: dissolved"),
    (.unspecified, .approve, "refused: state"),
    (.unspecified, .suspend, "refused: state"),
    (.unspecified, .resume, "refused: state"),
    (.unspecified, .dissolve, "refused: state"),
    (.unspecified, .change, "refused: state"),
  ]

  private static let names: [OrganizationState: String] = [
    .preparing: "PREPARING", .active: "ACTIVE", .suspended: "SUSPENDED", .dissolved: "DISSOLVED",
  ]

  @Test("every input in every state has the result of the table")
  func whole() {
    for (state, input, expected) in Self.table {
      var life = OrganizationLife(state)
      do {
        let action = try life.apply(input)
        #expect("\(Self.names[life.state] ?? "?") \(action)" == expected, "\(state) \(input)")
      } catch {
        #expect("refused: \(error)" == expected, "\(state) \(input)")
        #expect(life.state == state)
      }
    }
    let cells = Set(Self.table.map { "\($0.0) \($0.1)" })
    #expect(cells.count == OrganizationState.allCases.count * Input.allCases.count)
  }

  @Test("a group and a pool have no children, a branch has branches and groups only")
  func kinds() {
    let below: [OrganizationKind: Set<OrganizationKind>] = [
      .group: [], .holdingPool: [], .branch: [.branch, .group],
    ]
    let kinds = OrganizationKind.allCases.filter { $0 != .unspecified }
    for above in kinds {
      for kind in kinds {
        #expect(kind.mayStand(below: above) == (below[above]?.contains(kind) ?? true))
      }
    }
    #expect(Set(kinds.filter(\.mayCover)) == [.industryFederation, .newFormFederation])
    #expect(Set(kinds.filter(\.mayBeCovered)) == [.enterpriseUnion, .jointUnion])
  }

  @Test("an organization is not below one of a lower level")
  func levels() {
    let levels: [OrganizationLevel] = [
      .national, .province, .city, .county, .township, .village, .basic,
    ]
    for (lower, below) in levels.enumerated() {
      for (higher, above) in levels.enumerated() {
        #expect(below.mayStand(below: above) == (lower >= higher))
      }
    }
  }
}
