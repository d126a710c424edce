import ServiceKit
import StationsV1

/// The settings that visits are judged by, in microseconds. Pure.
struct VisitRules: Sendable, Hashable {
  /// How far in the future a device time may be; itself still counts.
  var futureMax: Int64
  /// How long ago a device time may be; itself still counts.
  var ageMax: Int64
  /// How far before or after a visit the point may have been open: as exact as a kiosk's clock is.
  var stateTolerance: Int64
  /// How long a stay lasts without a departure.
  var stayMax: Int64

  /// Why a visit is set aside; nil where it counts.
  ///
  /// The device time is judged as reported. It is not corrected by the skew that was measured at
  /// the hello: a spooled visit may be from before the clock was set right, and the same visit,
  /// sent again over another connection, must get the same verdict. The skew is recorded beside it.
  ///
  /// A departure needs no open point: people go after the doors have closed.
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

  /// The day that a report is listed under: of its device time, or of its receipt where that time
  /// is absurd.
  func day(of visit: CheckedVisit, reason: SetAsideReason?, now: Int64) -> Int64 {
    let isUsable = reason == nil || reason == .pointNotOpen
    let instant = isUsable ? visit.deviceAt ?? now : now
    return Int64(ChinaDate(microseconds: instant).daysSinceEpoch)
  }

  /// What the kiosk is told of a visit that was set aside.
  static func text(_ reason: SetAsideReason) -> LocalizedText {
    switch reason {
    case .timeInFuture:
      LocalizedText(
        zh: "设备时间超前过多,已留存但不计数;请校准终端时钟。",
        en: "The device time is too far in the future: kept, not counted. Set the kiosk's clock.")
    case .timeTooOld:
      LocalizedText(
        zh: "设备时间过早,已留存但不计数;请校准终端时钟。",
        en: "The device time is too long ago: kept, not counted. Set the kiosk's clock.")
    case .pointNotOpen:
      LocalizedText(
        zh: "到访时站点未开放,已留存但不计数。",
        en: "The point was not open at the time of the visit: kept, not counted.")
    case .malformed, .unspecified, .unrecognized:
      LocalizedText(
        zh: "到访记录格式有误,已留存但不计数。",
        en: "The visit is malformed: kept, not counted.")
    }
  }
}
