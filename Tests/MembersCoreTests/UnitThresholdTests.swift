import Foundation
import GoogleProtobuf
import MembersV1
import Protobuf
import ServiceKit
import Storage
import Testing

@testable import MembersCore

@Suite("Changed thresholds of units", .timeLimit(.minutes(5)))
struct UnitThresholdTests {
  private static func configuration(_ threshold: Int) -> MembersConfiguration {
    var configuration = MembersConfiguration()
    configuration.regions = [RegionSetting(regionCode: "340603", unitThreshold: threshold)]
    return configuration
  }

  private static func workers(
    _ numbers: ClosedRange<Int>, of employer: String = "顺达(淮北)货运有限公司"
  ) -> [EnrollmentApplication] {
    numbers.map { number in Applicant.application(number) { $0.employerName = employer } }
  }

  @Test("a threshold lowered between a count and its commit opens the index of every unit")
  func loweredMeanwhile() async throws {
    try await Harness.run(Self.configuration(7)) { harness in
      _ = try await harness.plantTree()
      _ = try await harness.enroll(Self.workers(1...5))
      try await harness.service.foldUnits()
      // A further member of that unit, and a unit that is counted for the first time.
      _ = try await harness.enroll(Self.workers(6...6))
      _ = try await harness.enroll(Self.workers(11...16, of: "迅达(淮北)物流有限公司"))
      let racing = RacingDatabase(harness.database) { try await harness.setThreshold(6) }
      #expect(try await harness.unitFold(racing).countWaiting() > 0)
      let units = try await harness.units([.counting, .triggered])
      #expect(units.map(\.members) == [6, 6])
      #expect(units.map(\.state) == [.triggered, .triggered])
      #expect(units.map(\.crossings) == [1, 1])
      #expect(try await harness.unitFold().foldOnce() == 0)
      #expect(try await harness.events("unit.changed").count == 2)
    }
  }

  /// Adds units of six members each, which no member belongs to.
  private static func plant(_ count: Int, of township: String, _ harness: Harness) async throws {
    var commit = Commit(at: harness.clock.now)
    commit.insert(
      into: "units",
      [
        "id", "organization_id", "hash", "wrapped_key", "identity", "state", "members", "crossings",
        "version", "created",
      ],
      (0..<count).map { number -> [any SQLValueConvertible] in
        let (id, none) = (hexID(300_000 + number), [UInt8]())
        return [id, String(township.suffix(32)), Array(id.utf8), none, none, 1, 6, 0, 1, 1]
      })
    try await harness.database.write(commit)
  }

  /// Changes the threshold as a process does that is killed before it has reviewed any unit.
  private static func change(to threshold: Int, _ harness: Harness) async throws {
    let settings = try await harness.database.read(RegionSettingStore.byRegions(["340603"]))
    var setting = try #require(settings.first)
    setting.unitThreshold = threshold
    setting.version += 1
    var commit = Commit(at: harness.clock.now)
    commit.run(RegionSettingStore.set(setting))
    commit.changeUnitThresholds()
    try await harness.database.write(commit)
  }

  private static func triggered(_ harness: Harness) async throws -> Int {
    try await harness.database.read(
      Query<Int>.one("SELECT count(*) AS n FROM units WHERE state = 2 AND crossings = 1") {
        try $0.int("n")
      })
  }

  @Test("all units are reviewed page by page, and anew after a further change")
  func reviewed() async throws {
    try await Harness.run(Self.configuration(7)) { harness in
      let names = try await harness.plantTree()
      let count = UnitFold.reviewedMax + 1
      try await Self.plant(count, of: names["quegou"] ?? "", harness)
      try await harness.service.foldUnits()
      #expect(try await harness.unitFold().review() == 0)
      #expect(try await Self.triggered(harness) == 0)
      try await Self.change(to: 6, harness)
      let overtaken = RacingDatabase(harness.database) { try await Self.change(to: 8, harness) }
      #expect(try await harness.unitFold(overtaken).review() == 1)
      #expect(try await Self.triggered(harness) == 0)
      // After the first page another process goes on.
      try await Self.change(to: 6, harness)
      #expect(try await harness.unitFold().review() == 1)
      #expect(try await Self.triggered(harness) == UnitFold.reviewedMax)
      try await harness.service.foldUnits()
      #expect(try await Self.triggered(harness) == count)
      #expect(try await harness.unitFold().review() == 0)
    }
  }

  @Test("a region that the configuration adds at a start has its units reviewed, once")
  func configured() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      _ = try await harness.enroll(Self.workers(1...6))
      try await harness.service.foldUnits()
      #expect(try await harness.units([.counting]).map(\.members) == [6])
      let clock = harness.clock
      let restarted = MembersService(
        database: harness.database, keys: harness.keys, clock: Clock { clock.now },
        configuration: Self.configuration(6))
      try await restarted.prepare()
      try await restarted.foldUnits()
      #expect(try await harness.units().map(\.crossings) == [1])
      try await restarted.prepare()
      #expect(try await harness.database.read(UnitThresholds.current).reviewedTo == nil)
    }
  }
}

extension Harness {
  /// Returns a fold of units, by default on the harness's own store.
  func unitFold(_ other: (any Database)? = nil) -> UnitFold {
    UnitFold(database: other ?? database, keys: keys, ids: .system, now: clock.now)
  }

  func setThreshold(_ threshold: Int32, in region: String = "340603") async throws {
    let client = try client(.administrator)
    let name = "regionSettings/\(region)"
    let present = try await client.getRegionSettings(.with { $0.name = name }).settings
    var request = UpdateRegionSettingsRequest()
    request.requestID = UUID().uuidString
    request.settings = .with {
      ($0.name, $0.etag, $0.unitThreshold) = (name, present?.etag ?? "", threshold)
    }
    request.updateMask = .with { $0.paths = ["unit_threshold"] }
    _ = try await client.updateRegionSettings(request)
  }
}
