import MembersV1
import Protobuf
import Testing

@testable import MembersCore

@Suite("What a scanned code allows")
struct CodeActionTests {
  private static let scanners: [(CodeActions.Scanner, active: String, other: String)] = [
    (.looking, "query", "query"),
    (.enrolling, "query join", "query"),
    (.member(.active, isHere: false), "query transfer_in edit_own_data", "query edit_own_data"),
    (.member(.active, isHere: true), "query edit_own_data", "query edit_own_data"),
    (.member(.pooled, isHere: false), "query transfer_in edit_own_data", "query edit_own_data"),
    (.member(.retained, isHere: true), "query edit_own_data", "query edit_own_data"),
    (.member(.left, isHere: false), "query join edit_own_data", "query edit_own_data"),
    (.member(.expelled, isHere: false), "query", "query"),
    (.member(.deceased, isHere: false), "query", "query"),
    (.member(.merged, isHere: false), "query", "query"),
    (.member(.unspecified, isHere: false), "query", "query"),
  ]

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
      let allowed = CodeActions.allowed(
        to: .member(.active, isHere: false), state: .active, kind: kind)
      #expect(
        allowed.contains(.transferIn) == (kind != .regionalFederation && kind != .holdingPool))
    }
  }
}
