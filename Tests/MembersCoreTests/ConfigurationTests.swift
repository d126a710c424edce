import Foundation
import MembersV1
import ServiceKit
import Testing

@testable import MembersCore

@Suite("The configuration")
struct ConfigurationTests {
  private var example: String {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "services/members/config.example.yaml").path
  }

  @Test("the example states the defaults")
  func exampleIsDefault() throws {
    let defaults = MembersConfiguration()
    let read = try loadConfiguration(MembersConfiguration.self, defaults: defaults, file: example)
    #expect(read == defaults)
    try read.validate()
  }

  @Test("what is wrong in the common part is named with the rest, all at once")
  func common() {
    var configuration = MembersConfiguration()
    configuration.service.logLevel = "loud"
    configuration.service.listen.port = 65_536
    configuration.service.database = "oracle:members"
    configuration.enrollmentsInFlight = 0
    let error = #expect(throws: ConfigurationError.self) { try configuration.validate() }
    for field in [
      "service.log_level", "service.listen.port", "service.database", "enrollments_in_flight",
    ] {
      #expect(error?.description.contains("\(field): ") == true)
    }
  }

  @Test("a region states only what differs; an invalid one is named")
  func regions() throws {
    let text = """
      enrollments_in_flight: 0
      regions:
        - region_code: "340300"
          rules: [HOLDING_POOL, EMPLOYER_UNION, INDUSTRY_FEDERATION, AREA_UNION]
        - region_code: "3403"
          rules: [AREA_UNION, AREA_UNION]
      """
    let read = try parseConfiguration(
      MembersConfiguration.self, defaults: MembersConfiguration(), text: text, file: "test.yaml")
    #expect(read.regions[0] == RegionSetting(regionCode: "340300", rules: .poolFirst))
    do {
      try read.validate()
      Issue.record("a wrong configuration was taken")
    } catch {
      let text = "\(error)"
      #expect(text.contains("enrollments_in_flight"))
      #expect(text.contains("regions[1].region_code"))
      #expect(text.contains("regions[1].rules: each rule once"))
      #expect(text.contains("regions[1].rules: HOLDING_POOL"))
    }
  }

  @Test("every reason has a text in both languages")
  func texts() {
    for error in MembersError.allCases {
      #expect(!error.text.zh.isEmpty && !error.text.en.isEmpty && error.text.zh != error.text.en)
    }
  }
}
