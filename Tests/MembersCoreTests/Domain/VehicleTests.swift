import ServiceKit
import Testing

@testable import MembersCore

@Suite("Plates and licenses of drivers")
struct VehicleTests {
  @Test(
    "a plate is stored in one form, however it was written",
    arguments: [
      ("冀C12345", "冀C12345"), (" 冀c·12345 ", "冀C12345"), ("皖F-D12345", "皖FD12345"),
      ("京Ａ１２３４５", "京A12345"), ("沪A1234学", "沪A1234学"),
    ])
  func plates(raw: String, text: String) throws {
    #expect(try VehiclePlate(checking: raw, field: "plate").text == text)
  }

  @Test(
    "other texts are no plates",
    arguments: ["C12345", "冀112345", "冀C1234", "冀C1234567", "冀CO2345", "冀C12345\n", "冀C1234王"])
  func badPlates(raw: String) {
    #expect(throws: FieldFailure.invalidPlate("plate")) {
      try VehiclePlate(checking: raw, field: "plate")
    }
  }

  @Test(
    "a license is its vehicle classes, one after the other",
    arguments: [
      ("A2", "A2"), (" b2d ", "B2D"), ("Ｃ１", "C1"), ("A1、A2、D", "A1A2D"), ("C1/E", "C1E"),
      ("A1A2A3B1B2C1C2C3", "A1A2A3B1B2C1C2C3"),
    ])
  func licenses(raw: String, text: String) throws {
    #expect(try DriverLicense(checking: raw, field: "license").text == text)
  }

  @Test(
    "other texts are no classes of a license",
    arguments: ["A", "A4", "2A", "G", "A2A2", "、", "A2\n", "驾照", "A1A2A3B1B2C1C2C3D"])
  func badLicenses(raw: String) {
    #expect(throws: FieldFailure.invalidLicense("license")) {
      try DriverLicense(checking: raw, field: "license")
    }
  }
}
