public import RPC
import ServiceKit
public import StationsV1
import Storage

extension StationsService {
  private static let radiusStandardMeters: Int32 = 10_000
  private static let radiusMaxMeters: Int32 = 200_000
  /// Initial search radius. The area grows until a page is full, so that a search in a city does
  /// not read all of its points.
  private static let radiusFirstMeters = 1_000.0

  /// Returns open points in order of distance.
  public func findNearbyPoints(
    _ request: FindNearbyPointsRequest, context: ServerContext
  ) async throws -> FindNearbyPointsResponse {
    let caller = try context.caller
    var checks = FieldChecks()
    let center = checks.coordinates(
      request.center, system: request.coordinateSystem, field: "center")
    checks.require(
      (0...Self.radiusMaxMeters).contains(request.radiusMeters), "radius_meters", "OUT_OF_RANGE",
      zh: "应为 0 至 \(Self.radiusMaxMeters) 米。",
      en: "must be from 0 to \(Self.radiusMaxMeters) meters.")
    let areKindsKnown = request.kinds.allSatisfy {
      $0 != .unspecified && PointKind.allCases.contains($0)
    }
    checks.require(
      areKindsKnown, "kinds", "UNKNOWN_VALUE", zh: "含未知站点类型。", en: "has an unknown kind.")
    let facilities = FacilitySet(request.facilities)
    checks.require(
      facilities != nil, "facilities", "UNKNOWN_VALUE", zh: "含未知设施。",
      en: "has an unknown facility.")
    let pageSize = checks.pageSize(request.pageSize, standard: 20, maximum: 200)
    let (from, having) = try checks.finish(center, facilities)

    let radius = Double(
      request.radiusMeters == 0 ? Self.radiusStandardMeters : request.radiusMeters)
    var search = NearbyStore.Search(
      center: from, facilities: having, kinds: PointFeatures.mask(kinds: request.kinds))
    let scope = [
      context.method.path, caller.subject, "\(from.latitude.bitPattern)",
      "\(from.longitude.bitPattern)", "\(radius)", "\(search.kinds)", "\(having.bits)",
    ]
    search.after = try nearbyCursor(request.pageToken, scope: scope)
    let found = try await nearest(search, radius: radius, limit: pageSize + 1)

    var response = FindNearbyPointsResponse()
    response.points = found.prefix(pageSize).map { found in
      var nearby = NearbyPoint()
      nearby.point = found.point.message
      nearby.distanceMeters = found.distanceMeters
      return nearby
    }
    if found.count > pageSize {
      let last = found[pageSize - 1]
      response.nextPageToken = try pageTokens.encode(
        [last.chordSquared, last.point.id], scope: scope)
    }
    return response
  }

  private func nearbyCursor(
    _ token: String, scope: [String]
  ) throws -> (chordSquared: Double, id: String)? {
    guard let values = try pageTokens.decode(token, scope: scope) else { return nil }
    guard values.count == 2, case .real(let chord) = values[0], case .text(let id) = values[1]
    else { throw CommonFailure.invalidPageToken }
    return (chord, id)
  }

  /// Returns the first `limit` points of a search, widening the radius step by step.
  func nearest(
    _ search: NearbyStore.Search, radius: Double, limit: Int
  ) async throws -> [NearbyStore.Found] {
    let passed = search.after.map { UnitVector.meters(chordSquared: $0.chordSquared) } ?? 0
    var reach = min(radius, max(Self.radiusFirstMeters, passed * 1.25))
    while true {
      let found = try await merged(NearbyStore.queries(search, radius: reach, limit: limit))
      if found.count >= limit || reach >= radius { return Array(found.prefix(limit)) }
      reach = min(radius, reach * (found.isEmpty ? 4 : 2))
    }
  }

  /// Returns the rows of one query, or merges those of two across the antimeridian, in order.
  private func merged(_ queries: [Query<[NearbyStore.Found]>]) async throws -> [NearbyStore.Found] {
    if let only = queries.first, queries.count == 1 { return try await database.read(only) }
    let results = try await database.read(all: queries.map { AnyQuery($0) })
    return queries.indices.flatMap { results.value($0, of: queries[$0]) }.sorted {
      ($0.chordSquared, $0.point.id) < ($1.chordSquared, $1.point.id)
    }
  }
}
