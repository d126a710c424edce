import GoogleProtobuf
import GoogleType
import ServiceKit
import StationsV1

/// A point, as stored.
struct StoredPoint: Sendable, Hashable {
  var id: String
  /// Incremented by every change; the etag.
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
  var etag: String { Etag.text(version) }

  /// The resource of the contract.
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

/// A set of facilities as bits: facility n of the contract is bit n. A column holds 62 in either
/// engine.
struct FacilitySet: Sendable, Hashable {
  var bits: Int64 = 0

  init(bits: Int64 = 0) { self.bits = bits }

  /// Returns nil where a facility is unspecified or unknown.
  init?(_ facilities: [Facility]) {
    for facility in facilities {
      guard facility != .unspecified, Facility.allCases.contains(facility) else { return nil }
      bits |= 1 << Int64(facility.rawValue)
    }
  }

  /// The facilities in order of their numbers.
  var facilities: [Facility] {
    Facility.allCases.filter { bits & (1 << Int64($0.rawValue)) != 0 }
  }
}

/// The filter column of the nearby search: facilities by their bits, and the kind as bit 32 + its
/// number, so that "any of these kinds" is a mask as well.
enum PointFeatures {
  static func bits(facilities: FacilitySet, kind: PointKind) -> Int64 {
    facilities.bits | mask(kinds: [kind])
  }

  /// Returns the bits of the kinds; of all kinds where `kinds` is empty.
  static func mask(kinds: [PointKind]) -> Int64 {
    let wanted = kinds.isEmpty ? PointKind.allCases.filter { $0 != .unspecified } : kinds
    return wanted.reduce(0) { $0 | 1 << Int64(32 + $1.rawValue) }
  }
}
