import GoogleType
import ServiceKit
import StationsV1

extension FieldChecks {
  /// Validates a position and converts it from GCJ-02 if it was given in that; nil where it is
  /// invalid.
  mutating func coordinates(
    _ location: LatLng?, system: CoordinateSystem, field: String
  ) -> Coordinates? {
    guard let location else {
      fail(field, "REQUIRED", zh: "必填。", en: "is required.")
      return nil
    }
    let place = Coordinates(latitude: location.latitude, longitude: location.longitude)
    require(
      place.isValid, field, "OUT_OF_RANGE", zh: "纬度应为 -90 至 90，经度应为 -180 至 180。",
      en: "must have a latitude of -90 to 90 and a longitude of -180 to 180.")
    require(
      CoordinateSystem.allCases.contains(system), "coordinate_system", "UNKNOWN_VALUE",
      zh: "应为 WGS-84 或 GCJ-02。", en: "must be WGS-84 or GCJ-02.")
    guard place.isValid else { return nil }
    return system == .gcj02 ? ChineseCoordinates.wgs84(fromGCJ02: place) : place
  }
}
