import ServiceKit
import StationsV1

/// The rules by which visits are judged, in microseconds. Pure.
struct VisitRules: Sendable, Hashable {
  /// How far in the future a device time may lie, inclusive.
  var futureMax: Int64
  /// How old a device time may be, inclusive.
  var ageMax: Int64
  /// Tolerance around a visit within which the point must have been open: the precision of a
  /// kiosk's clock.
  var stateTolerance: Int64
  /// Longest stay without a departure.
  var stayMax: Int64

  /// Returns the reason to set a visit aside; nil where it counts.
  ///
  /// The device time is judged as reported, not corrected by the skew measured at the hello: a
  /// spooled visit may precede a clock adjustment, and the same visit must get the same verdict
  /// when it is sent again on another connection. The skew is recorded beside it.
  ///
  /// A departure does not need an open point: people leave after closing.
  func reasonToSetAside(
    _ visit: CheckedVisit, history: PointHistory, now: Int64
  ) -> SetAsideReason? {
    guard visit.fault == nil, let deviceAt = visit.deviceAt else { return .malformed }
    if deviceAt > now + futureMax { return .timeInFuture }
    if deviceAt < now - ageMax { return .timeTooOld }
    let span = (deviceAt - stateTolerance)...(deviceAt + stateTolerance)
    if visit.direction == .arrival, !history.wasOpen(during: span) { return .pointNotOpen }
    return nil
  }

  /// Returns the day that a visit is listed under: by its device time, or by its receipt where that
  /// time is not usable.
  func day(of visit: CheckedVisit, reason: SetAsideReason?, now: Int64) -> Int64 {
    let isUsable = reason == nil || reason == .pointNotOpen
    let instant = isUsable ? visit.deviceAt ?? now : now
    return Int64(ChinaDate(microseconds: instant).daysSinceEpoch)
  }

  /// Returns the text of the notice to the kiosk.
  static func text(_ reason: SetAsideReason) -> LocalizedText {
    switch reason {
    case .timeInFuture:
      LocalizedText(
        zh: "设备时间超前过多，已留存但不计数；请校准终端时钟。",
        en: "The device time is too far in the future: kept, not counted. Set the kiosk's clock.")
    case .timeTooOld:
      LocalizedText(
        zh: "设备时间过早，已留存但不计数；请校准终端时钟。",
        en: "The device time is too long ago: kept, not counted. Set the kiosk's clock.")
    case .pointNotOpen:
      LocalizedText(
        zh: "到访时站点未开放，已留存但不计数。",
        en: "The point was not open at the time of the visit: kept, not counted.")
    case .malformed, .unspecified, .unrecognized:
      LocalizedText(
        zh: "到访记录格式有误，已留存但不计数。",
        en: "The visit is malformed: kept, not counted.")
    }
  }
}
