import Foundation
import GoogleProtobuf
import GoogleType
import RPC
import ServiceKit
import StationsV1
import Storage
import YijiaTypeV1

@testable import StationsCore

/// An open point with a kiosk.
struct Station: Sendable {
  let world: World
  let point: String
  let kiosk: String

  var pointID: String { String(point.dropFirst(7)) }

  var kioskCaller: Caller { Caller(kind: .kiosk, subject: kiosk, point: pointID) }

  /// Returns a visit at the current time, with the given properties.
  func visit(
    _ sequence: Int64, code: String = "", id: String = uuid(), secondsAgo: Double = 0,
    direction: Direction = .arrival
  ) -> ReportedVisit {
    var visit = ReportedVisit()
    visit.sequence = sequence
    visit.visitID = id
    visit.deviceTime = Timestamp(
      microseconds: world.clock.microseconds - Int64(secondsAgo * 1_000_000))
    visit.memberCode = code
    visit.direction = direction
    return visit
  }

  func hello(_ epoch: String, skewSeconds: Int64 = 0) -> ReportVisitsRequest {
    var hello = ReportHello()
    hello.spoolEpoch = epoch
    hello.deviceTime = Timestamp(
      microseconds: world.clock.microseconds + skewSeconds * 1_000_000)
    hello.softwareVersion = "1.0"
    var request = ReportVisitsRequest()
    request.message = .hello(hello)
    return request
  }

  func request(_ visit: ReportedVisit) -> ReportVisitsRequest {
    var request = ReportVisitsRequest()
    request.message = .visit(visit)
    return request
  }

  /// Reports visits on a stream of their own; returns every response, including that to the hello.
  @discardableResult
  func report(
    _ epoch: String, _ visits: [ReportedVisit], skewSeconds: Int64 = 0,
    _ options: CallOptions = CallOptions()
  ) async throws -> [ReportVisitsResponse] {
    let call = try await world.client(kioskCaller).reportVisits(options: options)
    var responses: [ReportVisitsResponse] = []
    async let sending: Void = {
      // A refusal ends the call; the responses state it.
      try? await call.send(hello(epoch, skewSeconds: skewSeconds))
      for visit in visits { try? await call.send(request(visit)) }
      try? await call.finishSending()
    }()
    for try await response in call.responses { responses.append(response) }
    await sending
    return responses
  }

  /// Returns every stored visit, read in small pages.
  func stored() async throws -> [Visit] {
    let client = try world.client(.staff(Tree.province))
    var visits: [Visit] = []
    var request = ListVisitsRequest()
    request.point = point
    request.pageSize = 7
    repeat {
      let page = try await client.listVisits(request)
      visits += page.visits
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return visits
  }

  /// Returns the daily counters of the point.
  func days() async throws -> [DailyVisits] {
    var request = GetDailyVisitStatisticsRequest()
    request.point = point
    return try await world.client(.staff(Tree.county)).getDailyVisitStatistics(request).days
  }

  /// Whether the counters agree with a recount of the visits.
  func countersAgree() async throws -> Bool {
    let kept = try await world.database.read(
      StatisticsStore.days(
        scope: .wholeTree, point: nil, from: 0, through: 100_000, limit: 10_000))
    let recounted = try await world.database.read(StatisticsStore.recount())
    return kept.map(\.withoutName) == recounted.map(\.withoutName)
  }
}

extension StatisticsStore.PointDay {
  fileprivate var withoutName: Self {
    var day = self
    day.displayName = ""
    return day
  }
}

extension World {
  func draft(latitude: Double = 39.9, longitude: Double = 116.4) -> Point {
    var location = LatLng()
    location.latitude = latitude
    location.longitude = longitude
    var point = Point()
    point.displayName = "司机之家"
    point.kind = .driverHome
    point.location = location
    point.address = "国道一号"
    point.regionCode = "340600"
    point.facilities = [.shower, .parking]
    point.capacity = 40
    point.managingOrganization = "organizations/\(Tree.county)"
    return point
  }

  func createPoint(_ point: Point? = nil) async throws -> Point {
    var request = CreatePointRequest()
    request.requestID = uuid()
    request.point = point ?? draft()
    let response = try await client(.staff(Tree.province)).createPoint(request)
    return response.point ?? Point()
  }

  @discardableResult
  func open(_ name: String) async throws -> Point {
    var request = OpenPointRequest()
    request.requestID = uuid()
    request.name = name
    return try await client(.staff(Tree.province)).openPoint(request).point ?? Point()
  }

  func registerKiosk(at point: String) async throws -> RegisterKioskResponse {
    var request = RegisterKioskRequest()
    request.requestID = uuid()
    request.point = point
    request.displayName = "前台"
    return try await client(.staff(Tree.province)).registerKiosk(request)
  }

  /// Creates a point that opened a day ago, with a kiosk.
  func station() async throws -> Station {
    let point = try await createPoint()
    try await open(point.name)
    clock.advance(seconds: 86_400)
    let kiosk = try await registerKiosk(at: point.name).kiosk ?? Kiosk()
    return Station(world: self, point: point.name, kiosk: kiosk.name)
  }

  /// Registers another kiosk at the same point.
  func secondKiosk(of station: Station) async throws -> Station {
    let kiosk = try await registerKiosk(at: station.point).kiosk ?? Kiosk()
    return Station(world: self, point: station.point, kiosk: kiosk.name)
  }
}
