import Foundation

/// Distances on the sphere, and bounding boxes of circles in latitude and longitude.
enum GreatCircle {
  /// Mean radius of the earth in meters (IUGG).
  static let earthRadiusMeters = 6_371_008.8

  /// Returns the great-circle distance in meters, by the haversine formula, which is precise for
  /// small distances too.
  static func meters(_ a: Coordinates, _ b: Coordinates) -> Double {
    let toRadians = Double.pi / 180
    let north = sin((b.latitude - a.latitude) * toRadians / 2)
    let east = sin((b.longitude - a.longitude) * toRadians / 2)
    let chord =
      north * north
      + cos(a.latitude * toRadians) * cos(b.latitude * toRadians) * east * east
    return 2 * earthRadiusMeters * asin(min(1, chord.squareRoot()))
  }

  /// Returns a box that contains every position within `radius` meters of `center`.
  ///
  /// Across the antimeridian it has two ranges of longitudes; around a pole it has all longitudes.
  static func box(around center: Coordinates, radius: Double) -> Box {
    // About a tenth of a millimeter, so that rounding excludes no point at the edge.
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

/// The latitude bands that points are indexed by: within a band, a B-tree on the longitude finds
/// the points of a box, the same way in every engine.
enum LatitudeBand {
  /// Height of a band: 0.05° are 5.6 kilometers, so a walk covers a few bands, the largest radius
  /// 73.
  static let degrees = 0.05

  /// Returns the number of a latitude's band.
  static func number(latitude: Double) -> Int64 {
    Int64(((latitude + 90) / degrees).rounded(.down))
  }
}

/// A position as a unit vector from the center of the earth. Distances need no trigonometry, and
/// there is no discontinuity at the antimeridian or the poles.
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

  /// Converts a squared chord of the unit sphere to great-circle meters. Half the chord is the
  /// square root in the haversine formula, so the distance is the same.
  static func meters(chordSquared: Double) -> Double {
    2 * GreatCircle.earthRadiusMeters * asin(min(1, chordSquared.squareRoot() / 2))
  }

  /// Converts great-circle meters to a squared chord of the unit sphere.
  static func chordSquared(meters: Double) -> Double {
    let chord = 2 * sin(min(meters / (2 * GreatCircle.earthRadiusMeters), .pi / 2))
    return chord * chord
  }
}
