import ServiceKit
import Testing

@Suite("Identifiers")
struct IdentifierTests {
  @Test("identifiers are 32 lower-case hex digits and do not repeat")
  func source() {
    let made = (0..<1_000).map { _ in IDSource.system.next() }
    #expect(made.allSatisfy { IDSource.isIdentifier($0) })
    #expect(Set(made).count == made.count)
  }

  @Test(
    "a request id is a UUID and nothing else",
    arguments: [
      "", "x", "6f9619ff8b86d011b42d00cf4fc964ff", "6f9619ff-8b86-d011-b42d-00cf4fc964f",
      "{6f9619ff-8b86-d011-b42d-00cf4fc964f}", "6f9619ff-8b86-d011-b42d-00cf4fc964fg",
      "６f9619ff-8b86-d011-b42d-00cf4fc964",
    ])
  func badRequestIDs(text: String) {
    #expect(throws: FieldFailure.self) { try RequestID.parse(text) }
  }

  @Test("a request id is the same in upper and lower case")
  func canonicalRequestID() throws {
    #expect(
      try RequestID.parse("6F9619FF-8B86-D011-B42D-00CF4FC964FF")
        == "6f9619ff-8b86-d011-b42d-00cf4fc964ff")
  }

  @Test(
    "a resource name of another collection, or with a suffix, is refused",
    arguments: [
      "", "members", "members/", "points/0123456789abcdef0123456789abcdef",
      "members/0123456789abcdef0123456789abcdef/x", "members/0123456789ABCDEF0123456789ABCDEF",
      "members/../0123456789abcdef0123456789abc",
    ])
  func badNames(name: String) {
    #expect(throws: FieldFailure.self) {
      try ResourceName.parse(name, collection: "members", field: "name")
    }
  }

  @Test("a resource name gives its identifier")
  func goodName() throws {
    let id = IDSource.system.next()
    #expect(try ResourceName.parse("members/\(id)", collection: "members", field: "name") == id)
  }
}
