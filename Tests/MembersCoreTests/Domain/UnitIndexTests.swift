import MembersV1
import Testing

@testable import MembersCore

@Suite("The index of a unit")
struct UnitIndexTests {
  private typealias Way = (next: UnitState, isTold: Bool)
  private static let numbers: [UnitIndex.Input] = [.enough, .tooFew]

  /// All transitions that change the state.
  private static let ways: [UnitState: [UnitIndex.Input: Way]] = [
    .counting: [.enough: (.triggered, true)],
    .triggered: [.assign: (.assigned, false), .dismiss: (.dismissed, false)],
    .assigned: [
      .assign: (.assigned, false), .guide: (.guiding, false), .dismiss: (.dismissed, false),
    ],
    .guiding: [.form: (.unionFormed, false), .dismiss: (.dismissed, false)],
    .dismissed: [.tooFew: (.counting, false)],
    .unionFormed: [.loseUnion: (.counting, false)],
  ]

  @Test(
    "every state has the transitions of the table; other counts change nothing"
  )
  func table() throws {
    for state in UnitState.allCases {
      for input in UnitIndex.Input.allCases {
        var index = UnitIndex(state)
        if let way = Self.ways[state]?[input] {
          #expect(try index.apply(input) == way.isTold)
          #expect(index.state == way.next, "\(state) \(input)")
        } else if Self.numbers.contains(input) {
          #expect(try !index.apply(input))
          #expect(index.state == state)
        } else {
          #expect(throws: MembersError.unitState) { try index.apply(input) }
          #expect(index.state == state)
        }
      }
    }
  }

  @Test("crossings of an open index are not reported; after a dismissal a new crossing is")
  func crossings() throws {
    var index = UnitIndex()
    let inputs: [UnitIndex.Input] = [
      .tooFew, .enough, .tooFew, .enough, .assign, .tooFew, .enough, .dismiss, .enough, .tooFew,
      .enough,
    ]
    let told = try inputs.map { try index.apply($0) }
    #expect(told.enumerated().filter(\.element).map(\.offset) == [1, 10])
  }

  @Test(
    "a unit is identified by its credit code, else by its normalized name",
    arguments: [
      ("甲公司", "", "name 甲公司"), (" 甲 公司 ", "", "name 甲公司"),
      ("甲(北)公司", "", "name 甲(北)公司"), ("甲\u{FF08}北\u{FF09}公司", "", "name 甲(北)公司"),
      ("Abc物流", "", "name ABC物流"), ("甲", "91350100m000100y43", "code 91350100M000100Y43"),
      ("甲", "nonsense", "name 甲"),
    ])
  func identity(name: String, code: String, key: String) {
    #expect(UnitIdentity(name: name, creditCode: code)?.key == key)
    #expect(UnitIdentity(name: "", creditCode: "nonsense") == nil)
  }
}
