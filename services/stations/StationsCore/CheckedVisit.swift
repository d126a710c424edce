import Crypto
import Foundation
import GoogleProtobuf
import ServiceKit
import StationsV1

/// Where visits come from: one stream of a kiosk, after its hello.
struct KioskStream: Sendable, Hashable {
  /// Identifier of the kiosk.
  var kiosk: String
  /// Identifier of its point.
  var point: String
  /// Epoch of its spool: a UUID in canonical form.
  var epoch: String
  /// How far the kiosk's clock was ahead at the hello.
  var skewMilliseconds: Int64
  var softwareVersion: String
}

/// A reported visit whose fields were looked at. Pure: knows no clock and no store.
struct CheckedVisit: Sendable, Hashable {
  /// Longest member code in bytes; members' own codes are far shorter.
  static let codeBytesMax = 128
  /// There are 17 facilities; a longer list repeats itself.
  static let servicesMax = 32

  var sequence: Int64
  /// 32 hex digits; made of kiosk, epoch and sequence where the kiosk gave none that can be used.
  var id: String
  /// By the kiosk's clock, microseconds since 1970; nil where malformed.
  var deviceAt: Int64?
  /// The member code as scanned, outer spaces off, in capitals, as members' codes are written;
  /// nil for an anonymous visit. Never stored.
  var code: String?
  var codeSHA256: [UInt8]?
  var direction: Direction
  var services: FacilitySet
  /// What is malformed; nil where nothing is.
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

  /// A member code in the form that is hashed: scanners that act as keyboards may change its case.
  static func normalized(_ code: String) -> String {
    code.trimmingCharacters(in: .whitespacesAndNewlines).uppercased()
  }

  /// What is stored of a member code.
  static func sha256(_ code: String) -> [UInt8] {
    Array(SHA256.hash(data: Array(normalized(code).utf8)))
  }

  /// The visit under an identifier of its own, because another kiosk's visit has the given one.
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
