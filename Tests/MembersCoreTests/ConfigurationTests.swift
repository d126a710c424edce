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
          pool_first: true
        - region_code: "3403"
      """
    let read = try parseConfiguration(
      MembersConfiguration.self, defaults: MembersConfiguration(), text: text, file: "test.yaml")
    #expect(read.regions[0] == RegionSetting(regionCode: "340300", poolFirst: true))
    do {
      try read.validate()
      Issue.record("a wrong configuration was taken")
    } catch {
      let text = "\(error)"
      #expect(text.contains("enrollments_in_flight"))
      #expect(text.contains("regions[1].region_code"))
    }
  }

  @Test("every reason has a text in both languages")
  func texts() {
    for error in MembersError.allCases {
      #expect(!error.text.zh.isEmpty && !error.text.en.isEmpty && error.text.zh != error.text.en)
    }
  }

  @Test("region settings are those of the last start")
  func replaced() async throws {
    var configuration = MembersConfiguration()
    configuration.regions = [RegionSetting(regionCode: "340603", poolFirst: true)]
    try await Harness.run(configuration) { harness in
      let names = try await harness.plantTree()
      let pooled = try await harness.submit(Applicant.application(1), as: .administrator)
      #expect(pooled.organization == names["xiangshan-pool"])
      let later = MembersService(
        database: harness.database, keys: harness.keys, clock: Clock { harness.clock.now })
      try await later.prepare()
      let usual = try await harness.submit(Applicant.application(2), as: .administrator)
      #expect(usual.organization == names["quegou"])
    }
  }
}
