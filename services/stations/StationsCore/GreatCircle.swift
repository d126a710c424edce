import Foundation

/// Distances on the sphere, and the boxes of latitude and longitude that hold a circle.
enum GreatCircle {
  /// Mean radius of the earth in meters (IUGG).
  static let earthRadiusMeters = 6_371_008.8

  /// Great-circle distance in meters, by the haversine formula: exact for near places too.
  static func meters(_ a: Coordinates, _ b: Coordinates) -> Double {
    let toRadians = Double.pi / 180
    let north = sin((b.latitude - a.latitude) * toRadians / 2)
    let east = sin((b.longitude - a.longitude) * toRadians / 2)
    let chord =
      north * north
      + cos(a.latitude * toRadians) * cos(b.latitude * toRadians) * east * east
    return 2 * earthRadiusMeters * asin(min(1, chord.squareRoot()))
  }

  /// A box that holds every place within `radius` meters of `center`.
  ///
  /// Across the antimeridian it has two ranges of longitude; around a pole it has all of them.
  static func box(around center: Coordinates, radius: Double) -> Box {
    // A margin of about a tenth of a millimeter, so that rounding loses nobody at the edge.
    let margin = 1e-9
    let angle = radius / earthRadiusMeters
    let reach = angle * 180 / .pi + margin
    let south = center.latitude - reach
    let north = center.latitude + reach
    let latitudes = max(-90, south)...min(90, north)
    guard south > -90, north < 90 else {
      return Box(latitudes: latitudes, longitudes: [-180...180])
    }
    let ratio = sin(angle) / cos(center.latitude * .pi / 180)
    guard angle < .pi / 2, ratio < 1 else {
      return Box(latitudes: latitudes, longitudes: [-180...180])
    }
    let width = asin(ratio) * 180 / .pi + margin
    let west = center.longitude - width
    let east = center.longitude + width
    if west < -180 {
      return Box(latitudes: latitudes, longitudes: [-180...east, (west + 360)...180])
    }
    if east > 180 {
      return Box(latitudes: latitudes, longitudes: [-180...(east - 360), west...180])
    }
    return Box(latitudes: latitudes, longitudes: [west...east])
  }

  /// A range of latitudes with one or two ranges of longitudes, in degrees.
  struct Box: Sendable, Hashable {
    var latitudes: ClosedRange<Double>
    var longitudes: [ClosedRange<Double>]
  }
}

/// Bands of latitude that points are indexed by: within a band a B-tree on longitude finds those of
/// a box, in every engine alike.
enum LatitudeBand {
  /// 0.05° are 5.6 kilometers: a few bands for a walk, 73 for the largest radius.
  static let degrees = 0.05

  /// Number of the band that a latitude lies in.
  static func number(latitude: Double) -> Int64 {
    Int64(((latitude + 90) / degrees).rounded(.down))
  }
}

/// A place as a vector of length one from the center of the earth: distances without trigonometry,
/// and without an edge at the antimeridian or the poles.
struct UnitVector: Sendable, Hashable {
  let x: Double
  let y: Double
  let z: Double

  init(_ place: Coordinates) {
    let latitude = place.latitude * .pi / 180
    let longitude = place.longitude * .pi / 180
    x = cos(latitude) * cos(longitude)
    y = cos(latitude) * sin(longitude)
    z = sin(latitude)
  }

  /// Great-circle meters of a squared chord on the unit sphere. Half a chord is the root in the
  /// haversine formula, so this is the same distance.
  static func meters(chordSquared: Double) -> Double {
    2 * GreatCircle.earthRadiusMeters * asin(min(1, chordSquared.squareRoot() / 2))
  }

  /// Squared chord of a great-circle distance.
  static func chordSquared(meters: Double) -> Double {
    let chord = 2 * sin(min(meters / (2 * GreatCircle.earthRadiusMeters), .pi / 2))
    return chord * chord
  }
}
