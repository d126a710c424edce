import Foundation

/// A geographic position in degrees.
struct Coordinates: Sendable, Hashable {
  /// −90…90, north positive.
  var latitude: Double
  /// −180…180, east positive.
  var longitude: Double

  /// Whether both numbers are finite and in range.
  var isValid: Bool {
    latitude.isFinite && longitude.isFinite && abs(latitude) <= 90 && abs(longitude) <= 180
  }
}

/// Conversion from and to GCJ-02, the coordinate system of Chinese maps: WGS-84 with a smooth
/// offset of 50 to 700 meters inside China. The forward formula is publicly known (see for example
/// the `eviltransform` project); the inverse is found by iteration.
enum ChineseCoordinates {
  /// Semi-major axis of the Krasovsky 1940 ellipsoid, in meters.
  private static let semiMajorAxis = 6_378_245.0
  /// Its first eccentricity, squared.
  private static let eccentricitySquared = 0.006_693_421_622_965_943_23
  /// Convergence threshold: 1e-9 degrees are 0.1 millimeters.
  private static let convergedDegrees = 1e-9
  /// Bound of the iteration. Each round reduces the error about a thousandfold, so 10 are far more
  /// than needed.
  private static let roundsMax = 10

  /// Whether GCJ-02 differs from WGS-84 there: outside of this box maps use WGS-84 unchanged.
  static func isShifted(_ place: Coordinates) -> Bool {
    (0.8293...55.8271).contains(place.latitude) && (72.004...137.8347).contains(place.longitude)
  }

  /// Converts WGS-84 to GCJ-02.
  static func gcj02(fromWGS84 place: Coordinates) -> Coordinates {
    guard isShifted(place) else { return place }
    let x = place.longitude - 105
    let y = place.latitude - 35
    let waves =
      (20 * sin(6 * x * .pi) + 20 * sin(2 * x * .pi)) * 2 / 3
    var north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * abs(x).squareRoot()
    north += waves + (20 * sin(y * .pi) + 40 * sin(y / 3 * .pi)) * 2 / 3
    north += (160 * sin(y / 12 * .pi) + 320 * sin(y * .pi / 30)) * 2 / 3
    var east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * abs(x).squareRoot()
    east += waves + (20 * sin(x * .pi) + 40 * sin(x / 3 * .pi)) * 2 / 3
    east += (150 * sin(x / 12 * .pi) + 300 * sin(x / 30 * .pi)) * 2 / 3

    let radians = place.latitude / 180 * .pi
    let curvature = 1 - eccentricitySquared * sin(radians) * sin(radians)
    let meridian =
      semiMajorAxis * (1 - eccentricitySquared) / (curvature * curvature.squareRoot()) * .pi / 180
    let parallel = semiMajorAxis / curvature.squareRoot() * cos(radians) * .pi / 180
    return Coordinates(
      latitude: place.latitude + north / meridian, longitude: place.longitude + east / parallel)
  }

  /// Converts GCJ-02 to WGS-84, with an error well below a meter.
  static func wgs84(fromGCJ02 place: Coordinates) -> Coordinates {
    guard isShifted(place) else { return place }
    var guess = place
    for _ in 0..<roundsMax {
      let shifted = gcj02(fromWGS84: guess)
      let north = place.latitude - shifted.latitude
      let east = place.longitude - shifted.longitude
      guess.latitude += north
      guess.longitude += east
      if max(abs(north), abs(east)) < convergedDegrees { break }
    }
    return guess
  }
}
