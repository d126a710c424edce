import MembersV1
import ServiceKit
import Testing

@testable import MembersCore

@Suite("Names, phones, regions, masks")
struct TextTests {
  @Test(
    "a phone is stored as E.164, however it was written",
    arguments: [
      "13903350001", "+86 139-0335-0001", "86 13903350001", "１３９０３３５０００１", " 13903350001 ",
    ])
  func phones(raw: String) throws {
    #expect(try PhoneNumber(checking: raw, field: "phone").text == "+8613903350001")
  }

  @Test(
    "texts other than mainland mobile numbers are refused",
    arguments: [
      "12903350001", "1390335000", "139033500011", "+1 3903350001", "13903350001\n", "١٣٩٠٣٣٥٠٠٠١",
      "x",
    ])
  func badPhones(raw: String) {
    #expect(throws: FieldFailure.self) { try PhoneNumber(checking: raw, field: "phone") }
  }

  @Test(
    "names consist of Han characters, including rare ones, with one kind of middle dot",
    arguments: [
      ("王伟", "王伟"), ("买买提·艾力", "买买提·艾力"), ("买买提•艾力", "买买提·艾力"), ("𠮷田", "𠮷田"),
      (" 张三 ", "张三"),
    ])
  func names(raw: String, text: String) throws {
    #expect(try PersonName(checking: raw, field: "name").text == text)
  }

  @Test("a text is counted in scalars: no cluster of any size counts as one character")
  func clusters() throws {
    for marks in [65, 2_000, 1_000_000] {
      let text = "e" + String(repeating: "\u{301}", count: marks)
      #expect(text.count == 1)
      #expect(throws: FieldFailure.tooLong("campaign", charactersMax: 64), "\(marks) marks") {
        try Campaign.checked(text, field: "campaign")
      }
    }
    let widest = String(repeating: "𠮷", count: 64)
    #expect(try Campaign.checked(widest, field: "campaign") == widest)
  }

  @Test(
    "other names are refused", arguments: ["J0hn", "王", "王·", "·王五", "王 五", "王\u{0}五", "王😀"])
  func badNames(raw: String) {
    #expect(throws: FieldFailure.self) { try PersonName(checking: raw, field: "name") }
  }

  @Test("a name of 50 characters is accepted, one of 51 refused")
  func longNames() throws {
    _ = try PersonName(checking: String(repeating: "王", count: 50), field: "name")
    #expect(throws: FieldFailure.self) {
      try PersonName(checking: String(repeating: "王", count: 51), field: "name")
    }
  }

  @Test(
    "regions in force are known down to the township, retired ones as such only",
    arguments: [
      ("130302", true), ("130302001", true), ("130302001003", true), ("130302999", false),
      ("130323", false), ("1303", false), ("13030２", false), ("999999", false), ("", false),
      // Neither a province nor a city with counties has townships.
      ("130000001", false), ("130300001", false), ("130300001001", false),
      // A city without counties, and a county without listed townships.
      ("441900003", true), ("659001001", true), ("659001000", false), ("659001000001", false),
      ("130302001000", true),
    ])
  func regions(code: String, isCurrent: Bool) {
    #expect(RegionTable.shared.isCurrent(code) == isCurrent)
  }

  @Test(
    "an ID's region may be a retired one, or that of a residence permit",
    arguments: [("130323", true), ("810000", true), ("130302", true), ("139999", false)])
  func retiredRegions(code: String, exists: Bool) {
    #expect(RegionTable.shared.existsOrDid(code) == exists)
  }

  @Test("the eight groups and the four key groups are two tag sets over one enum")
  func groups() {
    #expect(OccupationGroup.eightGroups.count == 8)
    #expect(
      OccupationGroup.keyGroups
        == [.truckDriver, .courier, .foodDeliveryRider, .rideHailingDriver])
  }
}
