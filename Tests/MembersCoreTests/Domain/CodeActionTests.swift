import MembersV1
import Protobuf
import Testing

@testable import MembersCore

@Suite("What a scanned code allows")
struct CodeActionTests {
  private static let scanners: [(CodeActions.Scanner, active: String, other: String)] = {
    var table: [(CodeActions.Scanner, active: String, other: String)] = [
      (.looking, "query", "query"),
      (.enrolling, "query join", "query"),
    ]
    for isHere in [false, true] {
      for isMoving in [false, true] {
        func member(_ state: MembershipState) -> CodeActions.Scanner {
          .member(state, isHere: isHere, isMoving: isMoving)
        }
        let own = "query edit_own_data"
        let moving = isHere || isMoving ? own : "query transfer_in edit_own_data"
        table += [
          (member(.active), moving, own),
          (member(.pooled), moving, own),
          (member(.retained), own, own),
          (member(.left), "query join edit_own_data", own),
          (member(.expelled), "query", "query"),
          (member(.deceased), "query", "query"),
          (member(.merged), "query", "query"),
          (member(.unspecified), "query join", "query"),
        ]
      }
    }
    return table
  }()

  @Test("the actions of every caller at an organization in every state are those of the table")
  func table() {
    for (scanner, active, other) in Self.scanners {
      for state in OrganizationState.allCases {
        let allowed = CodeActions.allowed(to: scanner, state: state, kind: .enterpriseUnion)
        let expected = state == .active ? active : other
        let names = allowed.map {
          $0.description.replacing("CODE_ACTION_", with: "").lowercased()
        }
        #expect(names.joined(separator: " ") == expected, "\(scanner) \(state)")
      }
    }
  }

  @Test("nobody may request a transfer to a regional federation or to a pool")
  func kinds() {
    for kind in OrganizationKind.allCases {
      let allowed = CodeActions.allowed(to: .member(.active), state: .active, kind: kind)
      #expect(
        allowed.contains(.transferIn) == (kind != .regionalFederation && kind != .holdingPool))
    }
  }
}
