import Crypto
import Foundation
import GoogleProtobuf
import ServiceKit
import StationsV1

/// The source of reported visits: one stream of a kiosk, as its hello describes it.
struct KioskStream: Sendable, Hashable {
  /// Identifier of the kiosk.
  var kiosk: String
  /// Identifier of its point.
  var point: String
  /// Epoch of the kiosk's spool: a UUID in canonical form.
  var epoch: String
  /// How far the kiosk's clock was ahead at the time of the hello; negative where it was behind.
  var skewMilliseconds: Int64
  var softwareVersion: String
}

/// A reported visit after validation of its fields. A pure value: no clock, no store.
struct CheckedVisit: Sendable, Hashable {
  /// Longest member code, in bytes; real codes are far shorter.
  static let codeBytesMax = 128
  /// Longest list of services. There are 17 facilities, so a longer list has duplicates.
  static let servicesMax = 32

  var sequence: Int64
  /// 32 hex digits; derived from kiosk, epoch and sequence where the reported id is invalid.
  var id: String
  /// By the kiosk's clock, in microseconds since 1970; nil where malformed.
  var deviceAt: Int64?
  /// The member code, trimmed and upper-cased as codes are issued; nil for an anonymous visit.
  /// Never stored.
  var code: String?
  var codeSHA256: [UInt8]?
  var direction: Direction
  var services: FacilitySet
  /// The last malformed field found; nil where all are valid.
  var fault: LocalizedText?

  init(_ visit: ReportedVisit, of stream: KioskStream) {
    sequence = visit.sequence
    direction = visit.direction == .departure ? .departure : .arrival
    services = FacilitySet(visit.servicesUsed) ?? FacilitySet()
    deviceAt = visit.deviceTime?.microseconds
    if let given = try? RequestID.parse(visit.visitID, field: "visit_id") {
      id = given.filter { $0 != "-" }
    } else {
      id = Self.substituteID(sequence: visit.sequence, of: stream)
      fault = LocalizedText(zh: "visit_id 应为 UUID。", en: "visit_id must be a UUID.")
    }
    if deviceAt == nil {
      fault = LocalizedText(
        zh: "device_time 缺失或无效。", en: "device_time is missing or out of range.")
    }
    if visit.servicesUsed.count > Self.servicesMax || FacilitySet(visit.servicesUsed) == nil {
      fault = LocalizedText(
        zh: "services_used 含未知服务。", en: "services_used has an unknown service.")
    }
    if case .unrecognized = visit.direction {
      fault = LocalizedText(zh: "direction 未知。", en: "direction is unknown.")
    }
    takeCode(visit.memberCode)
  }

  private mutating func takeCode(_ text: String) {
    let code = Self.normalized(text)
    guard !code.isEmpty else { return }
    let hasControls = code.unicodeScalars.contains { $0.properties.generalCategory == .control }
    guard code.utf8.count <= Self.codeBytesMax, !hasControls else {
      fault = LocalizedText(
        zh: "member_code 过长或含控制字符。", en: "member_code is too long or has control characters.")
      return
    }
    self.code = code
    codeSHA256 = Self.sha256(code)
  }

  /// Returns the form of a member code that is hashed: scanners act as keyboards and may change its
  /// case.
  static func normalized(_ code: String) -> String {
    code.trimmingCharacters(in: .whitespacesAndNewlines).uppercased()
  }

  /// Returns the hash of a member code, which is what is stored.
  static func sha256(_ code: String) -> [UInt8] {
    Array(SHA256.hash(data: Array(normalized(code).utf8)))
  }

  /// Returns the visit under a derived id, marked malformed: its own is another kiosk's visit.
  func withForeignID(of stream: KioskStream) -> CheckedVisit {
    var visit = self
    visit.id = Self.substituteID(sequence: sequence, of: stream)
    visit.fault = LocalizedText(
      zh: "visit_id 已被另一终端使用。", en: "visit_id is in use by another kiosk.")
    return visit
  }

  private static func substituteID(sequence: Int64, of stream: KioskStream) -> String {
    let text = "\(stream.kiosk)/\(stream.epoch)/\(sequence)"
    return SHA256.hash(data: Array(text.utf8)).prefix(16).map { byte in
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined()
  }
}
