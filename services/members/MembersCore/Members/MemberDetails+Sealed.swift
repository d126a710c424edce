import MembersV1
import Protobuf
import ServiceKit
import Storage

extension MemberDetails {
  /// Creates validated details with normalized values.
  init(checking raw: MemberDetails, field: String, _ checks: inout FieldChecks) {
    self.init()
    let text = { (raw: String, name: String, most: Int, checks: inout FieldChecks) -> String in
      checks.take { () throws(FieldFailure) in
        try PlainText.checked(raw, field: "\(field).\(name)", characters: 0...most)
      } ?? ""
    }
    employerName = text(
      raw.employerName, "employer_name", CheckedApplication.employerNameCharactersMax, &checks)
    platform = text(
      raw.platform, "platform", CheckedApplication.platformCharactersMax, &checks)
    if !raw.employerCreditCode.isEmpty {
      employerCreditCode =
        checks.take { () throws(FieldFailure) in
          try CreditCode(
            checking: raw.employerCreditCode, field: "\(field).employer_credit_code"
          ).text
        } ?? ""
    }
    if !raw.vehiclePlate.isEmpty {
      vehiclePlate =
        checks.take { () throws(FieldFailure) in
          try VehiclePlate(checking: raw.vehiclePlate, field: "\(field).vehicle_plate").text
        } ?? ""
    }
    if !raw.driverLicense.isEmpty {
      driverLicense =
        checks.take { () throws(FieldFailure) in
          try DriverLicense(checking: raw.driverLicense, field: "\(field).driver_license").text
        } ?? ""
    }
    areas = raw.areas.map { Areas(checking: $0, field: "\(field).areas", &checks) }
    if case .unrecognized = raw.labourRelation {
      checks.add([.invalidValue("\(field).labour_relation")])
    }
    labourRelation = raw.labourRelation
    migrantWorker = raw.migrantWorker
    newFormWorker = raw.newFormWorker
  }

  /// Creates the details stated in an application. Its areas, labour relation and flags stay with
  /// it: the details hold only corrected ones.
  init(of application: EnrollmentApplication) {
    self.init()
    employerName = application.employerName
    employerCreditCode = application.employerCreditCode
    platform = application.platform
    vehiclePlate = application.vehiclePlate
    driverLicense = application.driverLicense
  }

  /// Returns the details sealed under the person's key; `nil` if they are empty.
  func sealed(_ key: PersonKey) throws -> [UInt8]? {
    self == MemberDetails()
      ? nil : try key.seal(try wireBytes(), table: MemberStore.table, column: "details")
  }
}

extension Areas {
  /// Creates validated areas with normalized codes.
  init(checking raw: Areas, field: String, _ checks: inout FieldChecks) {
    self.init()
    let check = { (raw: String, name: String, checks: inout FieldChecks) -> String in
      let code = Normalization.text(raw)
      if !code.isEmpty, !RegionTable.shared.isCurrent(code) {
        checks.add([.unknownRegion("\(field).\(name)")])
      }
      return code
    }
    work = check(raw.work, "work", &checks)
    residence = check(raw.residence, "residence", &checks)
    domicile = check(raw.domicile, "domicile", &checks)
  }
}

extension StoredMember {
  func openDetails(_ key: PersonKey) throws -> MemberDetails {
    guard let details else { return MemberDetails() }
    return try MemberDetails(
      wireBytes: key.open(details, table: MemberStore.table, column: "details"))
  }
}
