import Foundation
import ServiceKit
import Testing

@testable import StationsCore

@Suite struct ConfigurationTests {
  private static let example = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "services/stations/config.example.yaml")

  @Test("the example states every field, with its default")
  func exampleIsDefault() throws {
    let configuration = try loadConfiguration(
      StationsConfiguration.self, defaults: StationsConfiguration(), file: Self.example.path)
    #expect(configuration == StationsConfiguration())
    try configuration.validate()
  }

  @Test("what is wrong in the common part is named with the rest, all at once")
  func common() {
    var configuration = StationsConfiguration()
    configuration.service.logLevel = "loud"
    configuration.service.listen.port = 65_536
    configuration.service.database = "oracle:members"
    configuration.visits.ageMaxHours = 0
    let error = #expect(throws: ConfigurationError.self) { try configuration.validate() }
    for field in [
      "service.log_level", "service.listen.port", "service.database", "visits.age_max_hours",
    ] {
      #expect(error?.description.contains("\(field): ") == true)
    }
  }

  @Test("no visit is accepted that is older than the retention")
  func agesKept() throws {
    var configuration = StationsConfiguration()
    configuration.visits.keepMonths = 2
    configuration.visits.ageMaxHours = 2 * 28 * 24
    try configuration.validate()
    configuration.visits.ageMaxHours += 1
    let error = #expect(throws: ConfigurationError.self) { try configuration.validate() }
    #expect(error?.description.contains("visits.age_max_hours") == true)
  }

  @Test("all fields out of their ranges are named")
  func limits() {
    var configuration = StationsConfiguration()
    configuration.resolveTimeoutMilliseconds = 0
    configuration.members.targets = []
    configuration.visits.futureMaxSeconds = -1
    configuration.visits.ageMaxHours = 0
    configuration.visits.stateToleranceSeconds = 3_601
    configuration.visits.stayMaxMinutes = 0
    let error = #expect(throws: ConfigurationError.self) { try configuration.validate() }
    for field in [
      "resolve_timeout_ms", "members.targets", "visits.future_max_seconds",
      "visits.age_max_hours", "visits.state_tolerance_seconds", "visits.stay_max_minutes",
    ] {
      #expect(error?.description.contains(field) == true)
    }
  }
}
