import Foundation
import GoogleType
import RPC
import ServiceKit
import StationsV1
import Storage
import Testing
import YijiaTypeV1

@testable import StationsCore

@Suite struct NearbyTests {
  /// Centers at which a search may go wrong, and ordinary ones.
  private static let centers = [
    Coordinates(latitude: 39.9, longitude: 116.4), Coordinates(latitude: 0, longitude: 180),
    Coordinates(latitude: 52, longitude: -179.99), Coordinates(latitude: 89.99, longitude: 10),
    Coordinates(latitude: -90, longitude: 0), Coordinates(latitude: 90, longitude: -180),
    Coordinates(latitude: 88.6, longitude: 179.9),
  ]

  @Test("points are in order of distance as by brute force, page by page", arguments: centers)
  func bruteForce(center: Coordinates) async throws {
    try await World.run { world in
      var random = Seeded(seed: 21)
      let points = (0..<1_500).map { index in
        let place = destination(
          from: center, meters: 260_000 * Double.random(in: 0...1, using: &random),
          bearing: .random(in: 0...(2 * .pi), using: &random))
        return stored(index, place, random: &random)
      }
      try await world.insert(points)
      let client = try world.client(.partner)
      for radius in [500, 10_000, 60_000, 200_000] as [Int32] {
        for (kinds, facilities) in [([], []), ([.station, .driverHome], [.shower])]
          as [([PointKind], [Facility])]
        {
          var request = FindNearbyPointsRequest()
          request.center = latLng(center)
          request.radiusMeters = radius
          request.kinds = kinds
          request.facilities = facilities
          request.pageSize = 60
          let found = try await client.all(request)
          let expected =
            points.filter {
              $0.state == .open && (kinds.isEmpty || kinds.contains($0.kind))
                && facilities.allSatisfy($0.facilities.facilities.contains)
            }
            .map { (GreatCircle.meters(center, $0.place), $0.id) }
            .filter { $0.0 <= Double(radius) }.sorted { $0 < $1 }
          #expect(found.map { $0.point?.name } == expected.map { "points/" + $0.1 })
          for (nearby, expected) in zip(found, expected) {
            #expect(abs(nearby.distanceMeters - expected.0) < 0.01)
          }
          let distances = found.map(\.distanceMeters)
          #expect(distances == distances.sorted())
        }
      }
    }
  }

  @Test("points at one position are in order of id, across pages too")
  func ties() async throws {
    try await World.run { world in
      let center = Coordinates(latitude: 31.2, longitude: 121.5)
      var random = Seeded(seed: 22)
      var points = (0..<90).map { stored($0, center, random: &random) }
      for index in points.indices { points[index].state = .open }
      try await world.insert(points.reversed())
      var request = FindNearbyPointsRequest()
      request.center = latLng(Coordinates(latitude: 31.21, longitude: 121.5))
      request.pageSize = 20
      let found = try await world.client(.partner).all(request)
      #expect(found.map { $0.point?.name } == points.map(\.name).sorted())
    }
  }

  @Test("GCJ-02 centers are converted, invalid fields and foreign tokens refused")
  func request() async throws {
    try await World.run { world in
      let station = try await world.station()
      var request = FindNearbyPointsRequest()
      let place = ChineseCoordinates.gcj02(
        fromWGS84: Coordinates(latitude: 39.9, longitude: 116.4))
      request.center = latLng(place)
      request.coordinateSystem = .gcj02
      request.radiusMeters = 1
      let client = try world.client(station.kioskCaller)
      #expect(try await client.findNearbyPoints(request).points.count == 1)
      request.pageToken = "abc"
      await expectFailure("the page token is invalid") {
        try await client.findNearbyPoints(request)
      }
      request.radiusMeters = 200_001
      request.kinds = [.unspecified]
      request.facilities = [.unrecognized(70)]
      request.pageSize = -1
      request.center?.latitude = .nan
      await expectFailure(
        "INVALID_FIELDS center=OUT_OF_RANGE radius_meters=OUT_OF_RANGE kinds=UNKNOWN_VALUE "
          + "facilities=UNKNOWN_VALUE page_size=OUT_OF_RANGE"
      ) { try await client.findNearbyPoints(request) }
    }
  }

  @Test(
    "the nearest of 200,000 points are found within milliseconds",
    .enabled(if: ProcessInfo.processInfo.environment["YIJIA_MEASURE"] == "1"))
  func measure() async throws {
    try await World.run { world in
      var random = Seeded(seed: 23)
      // Half of them in thirty cities, like the population, half anywhere in China.
      let cities = (0..<30).map { _ in
        Coordinates(
          latitude: .random(in: 20...45, using: &random),
          longitude: .random(in: 100...125, using: &random))
      }
      let points = (0..<200_000).map { index -> StoredPoint in
        let place =
          index % 2 == 0
          ? destination(
            from: cities[index % 30],
            meters: 30_000 * .random(in: 0...1, using: &random),
            bearing: .random(in: 0...(2 * .pi), using: &random))
          : Coordinates(
            latitude: .random(in: 20...50, using: &random),
            longitude: .random(in: 80...130, using: &random))
        var point = stored(index, place, random: &random)
        point.state = .open
        return point
      }
      try await world.insert(points)
      for (name, radius, size, facilities) in [
        ("10 km, 20 nearest", 10_000, 20, []), ("200 km, 200 nearest", 200_000, 200, []),
        ("200 km, rare facilities", 200_000, 200, [.legalAid, .training, .reading, .firstAid]),
      ] as [(String, Int32, Int32, [Facility])] {
        var times: [Swift.Duration] = []
        for round in 0..<300 {
          let center =
            round % 2 == 0
            ? cities[round % 30]
            : Coordinates(
              latitude: .random(in: 20...50, using: &random),
              longitude: .random(in: 80...130, using: &random))
          var request = FindNearbyPointsRequest()
          request.center = latLng(center)
          request.radiusMeters = radius
          request.pageSize = size
          request.facilities = facilities
          let client = try world.client(.partner)
          times.append(
            try await ContinuousClock().measure { _ = try await client.findNearbyPoints(request) })
        }
        times.sort()
        let figures = "median \(times[150]), p99 \(times[297])"
        FileHandle.standardError.write(Data("nearby \(name): \(figures)\n".utf8))
        #expect(times[150] < .milliseconds(50))
      }
    }
  }
}

private func latLng(_ place: Coordinates) -> LatLng {
  var location = LatLng()
  location.latitude = place.latitude
  location.longitude = place.longitude
  return location
}

private func stored(
  _ index: Int, _ place: Coordinates, random: inout Seeded
) -> StoredPoint {
  let kinds = PointKind.allCases.filter { $0 != .unspecified }
  var facilities = FacilitySet()
  for facility in Facility.allCases where facility != .unspecified {
    if Bool.random(using: &random) { facilities.bits |= 1 << Int64(facility.rawValue) }
  }
  return StoredPoint(
    id: hexID(index + 1), version: 1, displayName: "点\(index)",
    kind: kinds[Int.random(in: 0..<kinds.count, using: &random)],
    state: Int.random(in: 0..<10, using: &random) == 0 ? .suspended : .open, place: place,
    address: "", regionCode: "340600", facilities: facilities, capacity: 0,
    organization: Tree.county, createdAt: 1)
}

extension World {
  fileprivate func insert(_ points: [StoredPoint]) async throws {
    for start in stride(from: 0, to: points.count, by: 500) {
      var commit = Commit(at: clock.now)
      for point in points[start..<min(start + 500, points.count)] {
        PointStore.insert(point, into: &commit)
      }
      try await database.write(commit)
    }
  }
}

extension StationsServiceClient {
  /// Returns every page of a search.
  fileprivate func all(_ request: FindNearbyPointsRequest) async throws -> [NearbyPoint] {
    var request = request
    var found: [NearbyPoint] = []
    repeat {
      let page = try await findNearbyPoints(request)
      #expect(page.points.count <= Int(request.pageSize))
      found += page.points
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return found
  }
}
