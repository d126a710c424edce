import Foundation
import Testing

@testable import StationsCore

@Suite struct GeometryTests {
  /// WGS-84 and GCJ-02 positions of the same places, from the tests of the `eviltransform` project.
  private static let known: [(Coordinates, Coordinates)] = [
    (
      Coordinates(latitude: 31.177_427_6, longitude: 121.527_210_6),
      Coordinates(latitude: 31.175_303_983_645_97, longitude: 121.531_541_859_215)
    ),
    (
      Coordinates(latitude: 22.543_847, longitude: 113.912_316),
      Coordinates(latitude: 22.540_796_131_694_766, longitude: 113.917_176_480_836_3)
    ),
    (
      Coordinates(latitude: 39.911_954, longitude: 116.377_817),
      Coordinates(latitude: 39.913_345_455_360_69, longitude: 116.384_047_222_545_57)
    ),
  ]

  @Test("known places are converted as by other implementations", arguments: known.indices)
  func knownPlaces(index: Int) {
    let (wgs84, gcj02) = Self.known[index]
    #expect(GreatCircle.meters(ChineseCoordinates.gcj02(fromWGS84: wgs84), gcj02) < 0.1)
    #expect(GreatCircle.meters(ChineseCoordinates.wgs84(fromGCJ02: gcj02), wgs84) < 0.1)
  }

  @Test("the conversion and its inverse are within a millimeter all over China")
  func roundTrip() {
    var random = Seeded(seed: 11)
    for _ in 0..<5_000 {
      let place = Coordinates(
        latitude: .random(in: 18...53.5, using: &random),
        longitude: .random(in: 74...134.7, using: &random))
      let back = ChineseCoordinates.wgs84(
        fromGCJ02: ChineseCoordinates.gcj02(fromWGS84: place))
      #expect(GreatCircle.meters(place, back) < 0.001)
    }
  }

  @Test("outside of China nothing is shifted")
  func outside() {
    let london = Coordinates(latitude: 51.5, longitude: -0.12)
    #expect(ChineseCoordinates.wgs84(fromGCJ02: london) == london)
  }

  @Test("a degree of the equator is 111 km; the antimeridian and the poles are continuous")
  func distances() {
    let meters = { (a: (Double, Double), b: (Double, Double)) in
      GreatCircle.meters(
        Coordinates(latitude: a.0, longitude: a.1), Coordinates(latitude: b.0, longitude: b.1))
    }
    #expect(abs(meters((0, 0), (0, 1)) - 111_195.08) < 1)
    #expect(abs(meters((0, 179.5), (0, -179.5)) - 111_195.08) < 1)
    #expect(abs(meters((89.5, 0), (89.5, 180)) - 111_195.08) < 1)
    #expect(meters((90, 17), (90, -100)) < 0.001)
  }

  @Test("the chord gives the haversine distance")
  func chord() {
    var random = Seeded(seed: 12)
    for _ in 0..<5_000 {
      let a = Coordinates(
        latitude: .random(in: -90...90, using: &random),
        longitude: .random(in: -180...180, using: &random))
      let b = Coordinates(
        latitude: min(90, max(-90, a.latitude + .random(in: -1...1, using: &random))),
        longitude: .random(in: -180...180, using: &random))
      let (u, v) = (UnitVector(a), UnitVector(b))
      let squared =
        (u.x - v.x) * (u.x - v.x) + (u.y - v.y) * (u.y - v.y) + (u.z - v.z) * (u.z - v.z)
      let exact = GreatCircle.meters(a, b)
      #expect(abs(UnitVector.meters(chordSquared: squared) - exact) < 0.001 + exact * 1e-9)
    }
  }

  @Test("a box contains its circle, also around a pole and across the antimeridian")
  func boxes() {
    var random = Seeded(seed: 13)
    for _ in 0..<20_000 {
      let center = Coordinates(
        latitude: Bool.random(using: &random)
          ? .random(in: -90...90, using: &random) : .random(in: 87...90, using: &random),
        longitude: Bool.random(using: &random)
          ? .random(in: -180...180, using: &random) : .random(in: 178...180, using: &random))
      let radius = Double.random(in: 1...200_000, using: &random)
      let place = destination(
        from: center, meters: radius * Double.random(in: 0...1, using: &random).squareRoot(),
        bearing: .random(in: 0...(2 * .pi), using: &random))
      let box = GreatCircle.box(around: center, radius: radius)
      #expect(box.latitudes.contains(place.latitude))
      #expect(box.longitudes.contains { $0.contains(place.longitude) }, "\(center) \(place)")
    }
  }
}

/// Returns the position at a distance and bearing.
func destination(from center: Coordinates, meters: Double, bearing: Double) -> Coordinates {
  let angle = meters / GreatCircle.earthRadiusMeters
  let latitude = center.latitude * .pi / 180
  let sine = sin(latitude) * cos(angle) + cos(latitude) * sin(angle) * cos(bearing)
  let other = asin(max(-1, min(1, sine)))
  let east = atan2(
    sin(bearing) * sin(angle) * cos(latitude), cos(angle) - sin(latitude) * sin(other))
  var longitude = center.longitude + east * 180 / .pi
  if longitude > 180 { longitude -= 360 }
  if longitude < -180 { longitude += 360 }
  return Coordinates(latitude: other * 180 / .pi, longitude: longitude)
}

/// A random number generator with a seed (SplitMix64).
struct Seeded: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
