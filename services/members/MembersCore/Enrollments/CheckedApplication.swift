import Foundation
import MembersV1
import ServiceKit

/// An application whose every field was checked and normalized.
struct CheckedApplication: Sendable {
  static let employerNameCharactersMax = 100
  static let platformCharactersMax = 100
  static let consentVersionCharactersMax = 32
  static let consentEvidenceCharactersMax = 200
  /// How far a partner's clock may be ahead of ours.
  private static let clockSkewMicroseconds: Int64 = 300_000_000

  /// The application as it is kept: with normalized values.
  private(set) var message: EnrollmentApplication
  let personName: PersonName
  let residentID: ResidentID
  let phone: PhoneNumber
  let consentVersion: String
  let consentMicroseconds: Int64
  /// Identifier of the scanned organization code, whose signature held.
  let organizationCodeID: String?

  var group: OccupationGroup { message.group }
  var channel: Channel { message.channel }
  var campaign: String { message.campaign }
  var employerCreditCode: String { message.employerCreditCode }

  /// Checks all of it.
  ///
  /// - Parameters:
  ///   - raw: The application; nil where the request has none.
  ///   - channel: What an application without a channel is counted under.
  ///   - codes: Reads an organization code's identifier out of its signed text.
  ///   - failures: Takes every wrong field.
  /// - Returns: nil where any field is wrong.
  init?(
    checking raw: EnrollmentApplication?, channel: Channel, now: Int64,
    codes: (String) throws(MembersError) -> String, failures: inout FieldFailures
  ) {
    let before = failures.failures.count
    var message = raw ?? EnrollmentApplication()
    let today = ChinaDate(microseconds: now)
    let name = failures.take { () throws(FieldFailure) in
      try PersonName(checking: message.personName, field: "application.person_name")
    }
    let id = failures.take { () throws(FieldFailure) in
      try ResidentID(
        checking: message.residentID, field: "application.resident_id", on: today)
    }
    let phone = failures.take { () throws(FieldFailure) in
      try PhoneNumber(checking: message.phone, field: "application.phone")
    }
    Self.checkEnums(&message, channel: channel, &failures)
    let consented = Self.checkConsent(&message, now: now, &failures)
    Self.checkAreas(&message, &failures)
    Self.checkTexts(&message, &failures)
    let code = Self.checkCode(&message, codes, &failures)
    guard failures.failures.count == before, let name, let id, let phone, let consented else {
      return nil
    }
    message.personName = name.text
    message.residentID = id.text
    message.phone = phone.text
    self.message = message
    personName = name
    residentID = id
    self.phone = phone
    consentVersion = message.consent?.version ?? ""
    consentMicroseconds = consented
    organizationCodeID = code
  }

  private static func checkEnums(
    _ message: inout EnrollmentApplication, channel: Channel, _ failures: inout FieldFailures
  ) {
    switch message.group {
    case .unspecified: failures.add([.required("application.group")])
    case .unrecognized: failures.add([.invalidValue("application.group")])
    default: break
    }
    switch message.channel {
    case .unspecified: message.channel = channel
    case .unrecognized: failures.add([.invalidValue("application.channel")])
    default: break
    }
    if case .unrecognized = message.labourRelation {
      failures.add([.invalidValue("application.labour_relation")])
    }
  }

  /// - Returns: When the person consented, in microseconds since 1970.
  private static func checkConsent(
    _ message: inout EnrollmentApplication, now: Int64, _ failures: inout FieldFailures
  ) -> Int64? {
    let field = "application.consent"
    guard var consent = message.consent else {
      failures.add([.required(field)])
      return nil
    }
    consent.version =
      failures.take { () throws(FieldFailure) in
        try PlainText.checked(
          consent.version, field: "\(field).version",
          characters: 1...consentVersionCharactersMax)
      } ?? ""
    consent.evidence =
      failures.take { () throws(FieldFailure) in
        try PlainText.checked(
          consent.evidence, field: "\(field).evidence",
          characters: 1...consentEvidenceCharactersMax)
      } ?? ""
    message.consent = consent
    guard let time = consent.agreeTime else {
      failures.add([.required("\(field).agree_time")])
      return nil
    }
    guard let instant = time.microseconds else {
      failures.add([.invalidValue("\(field).agree_time")])
      return nil
    }
    if instant > now + clockSkewMicroseconds { failures.add([.inFuture("\(field).agree_time")]) }
    return instant
  }

  private static func checkAreas(
    _ message: inout EnrollmentApplication, _ failures: inout FieldFailures
  ) {
    var areas = message.areas ?? Areas()
    let check = { (raw: String, field: String, failures: inout FieldFailures) -> String in
      let code = Normalization.text(raw)
      if !code.isEmpty, !RegionTable.shared.isCurrent(code) {
        failures.add([.unknownRegion("application.areas.\(field)")])
      }
      return code
    }
    areas.work = check(areas.work, "work", &failures)
    areas.residence = check(areas.residence, "residence", &failures)
    areas.domicile = check(areas.domicile, "domicile", &failures)
    message.areas = areas
  }

  private static func checkTexts(
    _ message: inout EnrollmentApplication, _ failures: inout FieldFailures
  ) {
    let text = { (raw: String, field: String, most: Int, failures: inout FieldFailures) -> String in
      failures.take { () throws(FieldFailure) in
        try PlainText.checked(raw, field: "application.\(field)", characters: 0...most)
      } ?? ""
    }
    message.employerName = text(
      message.employerName, "employer_name", employerNameCharactersMax, &failures)
    message.platform = text(message.platform, "platform", platformCharactersMax, &failures)
    message.campaign =
      failures.take { () throws(FieldFailure) in
        try Campaign.checked(message.campaign, field: "application.campaign")
      } ?? ""
    let employer = message.employerCreditCode
    if !employer.isEmpty {
      message.employerCreditCode =
        failures.take { () throws(FieldFailure) in
          try CreditCode(checking: employer, field: "application.employer_credit_code").text
        } ?? ""
    }
    let plate = message.vehiclePlate
    if !plate.isEmpty {
      message.vehiclePlate =
        failures.take { () throws(FieldFailure) in
          try VehiclePlate(checking: plate, field: "application.vehicle_plate").text
        } ?? ""
    }
  }

  private static func checkCode(
    _ message: inout EnrollmentApplication, _ codes: (String) throws(MembersError) -> String,
    _ failures: inout FieldFailures
  ) -> String? {
    guard !message.organizationCode.isEmpty else { return nil }
    do throws(MembersError) {
      return try codes(message.organizationCode)
    } catch {
      failures.add("application.organization_code", error.reason, error.text)
      return nil
    }
  }
}
