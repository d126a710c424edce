import GoogleProtobuf
import GoogleType
import ServiceKit
import StationsV1

/// A point as it is stored.
struct StoredPoint: Sendable, Hashable {
  var id: String
  /// Rises by one with every change; the etag.
  var version: Int64
  var displayName: String
  var kind: PointKind
  var state: PointState
  /// WGS-84.
  var place: Coordinates
  var address: String
  var regionCode: String
  var facilities: FacilitySet
  var capacity: Int32
  /// Identifier of the managing union.
  var organization: String
  /// Microseconds since 1970.
  var createdAt: Int64

  var name: String { "points/\(id)" }
  var etag: String { "v\(version)" }

  /// As the contract shows it.
  var message: Point {
    var point = Point()
    point.name = name
    point.displayName = displayName
    point.kind = kind
    point.state = state
    var location = LatLng()
    location.latitude = place.latitude
    location.longitude = place.longitude
    point.location = location
    point.address = address
    point.regionCode = regionCode
    point.facilities = facilities.facilities
    point.capacity = capacity
    point.managingOrganization = "organizations/\(organization)"
    point.createTime = Timestamp(microseconds: createdAt)
    point.etag = etag
    return point
  }
}

/// Facilities as bits: facility n of the contract is bit n. 62 fit into a column of either engine.
struct FacilitySet: Sendable, Hashable {
  var bits: Int64 = 0

  init(bits: Int64 = 0) { self.bits = bits }

  /// nil where one is not set or not known.
  init?(_ facilities: [Facility]) {
    for facility in facilities {
      guard facility != .unspecified, Facility.allCases.contains(facility) else { return nil }
      bits |= 1 << Int64(facility.rawValue)
    }
  }

  /// In the order of their numbers.
  var facilities: [Facility] {
    Facility.allCases.filter { bits & (1 << Int64($0.rawValue)) != 0 }
  }
}

/// What the nearby search filters by, in one column: facilities in their bits, and the kind as bit
/// 32 + its number, so that "any of these kinds" is a mask too.
enum PointFeatures {
  static func bits(facilities: FacilitySet, kind: PointKind) -> Int64 {
    facilities.bits | mask(kinds: [kind])
  }

  /// The kinds' bits; of every kind where `kinds` is empty.
  static func mask(kinds: [PointKind]) -> Int64 {
    let wanted = kinds.isEmpty ? PointKind.allCases.filter { $0 != .unspecified } : kinds
    return wanted.reduce(0) { $0 | 1 << Int64(32 + $1.rawValue) }
  }
}
