import Foundation
import MembersV1
import ServiceKit

/// A validated and normalized application.
struct CheckedApplication: Sendable {
  static let employerNameCharactersMax = 100
  static let platformCharactersMax = 100
  static let consentVersionCharactersMax = 32
  static let consentEvidenceCharactersMax = 200
  /// How far a partner's clock may be ahead, in microseconds: five minutes.
  private static let clockSkewMicroseconds: Int64 = 300_000_000

  /// The application with normalized values.
  private(set) var message: EnrollmentApplication
  let personName: PersonName
  let residentID: ResidentID
  let phone: PhoneNumber
  let consentVersion: String
  /// The instant of consent, in microseconds since 1970.
  let consentMicroseconds: Int64
  /// The identifier of the scanned organization code, whose signature was verified.
  let organizationCodeID: String?

  var group: OccupationGroup { message.group }
  var channel: Channel { message.channel }
  var campaign: String { message.campaign }
  var employerCreditCode: String { message.employerCreditCode }

  /// Validates an application.
  ///
  /// - Parameters:
  ///   - raw: The application; `nil` if the request has none.
  ///   - channel: The channel of an application without one.
  ///   - needsCode: Whether the application must have an organization code.
  ///   - codes: Returns the identifier in an organization code's signed text.
  ///   - checks: Collects every invalid field.
  /// - Returns: `nil` if any field is invalid.
  init?(
    checking raw: EnrollmentApplication?, channel: Channel, needsCode: Bool = false, now: Int64,
    codes: (String) throws(MembersError) -> String, checks: inout FieldChecks
  ) {
    let before = checks.failures.count
    var message = raw ?? EnrollmentApplication()
    let today = ChinaDate(microseconds: now)
    let name = checks.take { () throws(FieldFailure) in
      try PersonName(checking: message.personName, field: "application.person_name")
    }
    let id = checks.take { () throws(FieldFailure) in
      try ResidentID(
        checking: message.residentID, field: "application.resident_id", on: today)
    }
    let phone = checks.take { () throws(FieldFailure) in
      try PhoneNumber(checking: message.phone, field: "application.phone")
    }
    Self.checkEnums(&message, channel: channel, &checks)
    let consented = Self.checkConsent(&message, now: now, &checks)
    message.areas = Areas(
      checking: message.areas ?? Areas(), field: "application.areas", &checks)
    Self.checkTexts(&message, &checks)
    let code = Self.checkCode(&message, codes, &checks)
    if needsCode, message.organizationCode.isEmpty {
      checks.add([.required("application.organization_code")])
    }
    guard checks.failures.count == before, let name, let id, let phone, let consented else {
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
    _ message: inout EnrollmentApplication, channel: Channel, _ checks: inout FieldChecks
  ) {
    switch message.group {
    case .unspecified: checks.add([.required("application.group")])
    case .unrecognized: checks.add([.invalidValue("application.group")])
    default: break
    }
    switch message.channel {
    case .unspecified: message.channel = channel
    case .unrecognized: checks.add([.invalidValue("application.channel")])
    default: break
    }
    if case .unrecognized = message.labourRelation {
      checks.add([.invalidValue("application.labour_relation")])
    }
  }

  /// - Returns: The instant of consent, in microseconds since 1970.
  private static func checkConsent(
    _ message: inout EnrollmentApplication, now: Int64, _ checks: inout FieldChecks
  ) -> Int64? {
    let field = "application.consent"
    guard var consent = message.consent else {
      checks.add([.required(field)])
      return nil
    }
    consent.version =
      checks.take { () throws(FieldFailure) in
        try PlainText.checked(
          consent.version, field: "\(field).version",
          characters: 1...consentVersionCharactersMax)
      } ?? ""
    consent.evidence =
      checks.take { () throws(FieldFailure) in
        try PlainText.checked(
          consent.evidence, field: "\(field).evidence",
          characters: 1...consentEvidenceCharactersMax)
      } ?? ""
    message.consent = consent
    guard let time = consent.agreeTime else {
      checks.add([.required("\(field).agree_time")])
      return nil
    }
    guard let instant = time.microseconds else {
      checks.add([.invalidValue("\(field).agree_time")])
      return nil
    }
    if instant > now + clockSkewMicroseconds { checks.add([.inFuture("\(field).agree_time")]) }
    return instant
  }

  private static func checkTexts(
    _ message: inout EnrollmentApplication, _ checks: inout FieldChecks
  ) {
    let text = { (raw: String, field: String, most: Int, checks: inout FieldChecks) -> String in
      checks.take { () throws(FieldFailure) in
        try PlainText.checked(raw, field: "application.\(field)", characters: 0...most)
      } ?? ""
    }
    message.employerName = text(
      message.employerName, "employer_name", employerNameCharactersMax, &checks)
    message.platform = text(message.platform, "platform", platformCharactersMax, &checks)
    message.campaign =
      checks.take { () throws(FieldFailure) in
        try Campaign.checked(message.campaign, field: "application.campaign")
      } ?? ""
    let employer = message.employerCreditCode
    if !employer.isEmpty {
      message.employerCreditCode =
        checks.take { () throws(FieldFailure) in
          try CreditCode(checking: employer, field: "application.employer_credit_code").text
        } ?? ""
    }
    let plate = message.vehiclePlate
    if !plate.isEmpty {
      message.vehiclePlate =
        checks.take { () throws(FieldFailure) in
          try VehiclePlate(checking: plate, field: "application.vehicle_plate").text
        } ?? ""
    }
    let license = message.driverLicense
    if !license.isEmpty {
      message.driverLicense =
        checks.take { () throws(FieldFailure) in
          try DriverLicense(checking: license, field: "application.driver_license").text
        } ?? ""
    }
  }

  private static func checkCode(
    _ message: inout EnrollmentApplication, _ codes: (String) throws(MembersError) -> String,
    _ checks: inout FieldChecks
  ) -> String? {
    guard !message.organizationCode.isEmpty else { return nil }
    do throws(MembersError) {
      return try codes(message.organizationCode)
    } catch {
      checks.add("application.organization_code", error.reason, error.text)
      return nil
    }
  }
}
