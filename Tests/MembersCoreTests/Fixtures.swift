import Foundation
import GoogleProtobuf
import MembersV1
import RPC
import ServiceKit

@testable import MembersCore

/// A small tree of Huaibei (seed: the pilot's city of 62 federations), as rows to import.
///
///     nation ─ anhui ─ huaibei ┬ xiangshan ┬ quegou (township) ─ quegou-east (village)
///                              │           ├ freight-union (covers an employer)
///                              │           ├ drivers (industry federation, truck drivers)
///                              │           └ xiangshan-pool
///                              ├ lieshan   (neither township unions nor a pool)
///                              └ huaibei-pool
enum Tree {
  /// Credit code of an employer that freight-union covers.
  static let employerCreditCode = "91350100M000100Y43"
  /// Credit code of an employer that nobody covers.
  static let otherCreditCode = "91350100M000200Y4T"
  static let rows: [ImportOrganizationsRequest] = [
    row("nation", "", "中华全国总工会", .regionalFederation, .national, "000000"),
    row("anhui", "nation", "安徽省总工会", .regionalFederation, .province, "340000"),
    row("huaibei", "anhui", "淮北市总工会", .regionalFederation, .city, "340600"),
    row("xiangshan", "huaibei", "相山区总工会", .regionalFederation, .county, "340603"),
    row("lieshan", "huaibei", "烈山区总工会", .regionalFederation, .county, "340604"),
    row("huaibei-pool", "huaibei", "淮北市会员周转池", .holdingPool, .city, "340600"),
    row("quegou", "xiangshan", "渠沟镇总工会", .townshipUnion, .township, "340603100") {
      $0.takesIndividuals = true
    },
    row("quegou-east", "quegou", "渠沟镇东村工会", .villageUnion, .village, "340603100201") {
      $0.takesIndividuals = true
    },
    row("freight-union", "xiangshan", "淮北货运公司工会", .enterpriseUnion, .basic, "340603") {
      $0.employerCreditCodes = [employerCreditCode]
    },
    row("drivers", "xiangshan", "相山区货运行业工会联合会", .industryFederation, .county, "340603") {
      $0.groups = [.truckDriver]
      $0.takesIndividuals = true
    },
    row("xiangshan-pool", "xiangshan", "相山区会员周转池", .holdingPool, .county, "340603"),
  ]

  /// A development zone within Xiangshan, directly below the city.
  static let zone = row(
    "zone", "huaibei", "相山经济开发区总工会", .regionalFederation, .county, "340603")

  static func row(
    _ id: String, _ parent: String, _ name: String, _ kind: OrganizationKind,
    _ level: OrganizationLevel, _ region: String,
    _ change: (inout ImportOrganizationsRequest) -> Void = { _ in }
  ) -> ImportOrganizationsRequest {
    var row = ImportOrganizationsRequest()
    row.requestID = UUID().uuidString
    row.externalID = id
    row.parentExternalID = parent
    row.displayName = name
    row.kind = kind
    row.level = level
    row.regionCode = region
    change(&row)
    return row
  }
}

extension Harness {
  /// Imports rows as the administrator of the whole tree, or as `caller`.
  func importing(
    _ rows: [ImportOrganizationsRequest], as caller: Caller = .administrator
  ) async throws -> [ImportOrganizationsResponse] {
    let call = try await client(caller).importOrganizations()
    async let sending: Void = {
      for row in rows { try await call.send(row) }
      try await call.finishSending()
    }()
    var results: [ImportOrganizationsResponse] = []
    for try await result in call.responses { results.append(result) }
    try await sending
    return results
  }

  /// Imports ``Tree/rows``; returns the resource names by external id.
  func plantTree(
    _ rows: [ImportOrganizationsRequest] = Tree.rows
  ) async throws -> [String: String] {
    var names: [String: String] = [:]
    for result in try await importing(rows) {
      guard case .organization(let organization)? = result.result else {
        throw Unexpected("the tree's row was refused: \(result)")
      }
      names[organization.externalID] = organization.name
    }
    return names
  }

  /// Submits an application as `caller`.
  func submit(
    _ application: EnrollmentApplication, as caller: Caller = .partner(),
    requestID: String = UUID().uuidString, language: String = "zh-CN"
  ) async throws -> Enrollment {
    var request = SubmitEnrollmentRequest()
    request.requestID = requestID
    request.application = application
    var options = CallOptions()
    options.metadata.add("accept-language", language)
    guard
      let enrollment = try await client(caller).submitEnrollment(request, options: options)
        .enrollment
    else { throw Unexpected("no enrollment in the response") }
    return enrollment
  }

  /// Enrolls over the bulk stream; returns the results in the order of their arrival.
  func enroll(
    _ applications: [EnrollmentApplication], as caller: Caller = .partner(),
    language: String = "zh-CN"
  ) async throws -> [EnrollMembersResponse] {
    let requests = applications.enumerated().map { index, application in
      var request = EnrollMembersRequest()
      request.requestID = UUID().uuidString
      request.row = Int64(index + 1)
      request.application = application
      return request
    }
    return try await enroll(requests, as: caller, language: language)
  }

  func enroll(
    _ requests: [EnrollMembersRequest], as caller: Caller = .partner(),
    language: String = "zh-CN"
  ) async throws -> [EnrollMembersResponse] {
    var options = CallOptions()
    options.metadata.add("accept-language", language)
    let call = try await client(caller).enrollMembers(options: options)
    async let sending: Void = {
      for request in requests { try await call.send(request) }
      try await call.finishSending()
    }()
    var results: [EnrollMembersResponse] = []
    for try await result in call.responses { results.append(result) }
    try await sending
    return results
  }
}

/// An assumption of a test that does not hold.
struct Unexpected: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Applicants. Their IDs are invented, with valid check characters.
enum Applicant {
  /// Returns the ID of the `number`th person, below 5 million; born from 1990-01-01 on.
  static func residentID(_ number: Int, region: String = "340603") -> String {
    let birth = ChinaDate(daysSinceEpoch: 7_305 + number % 5_000)
    let digits =
      region + birth.description.replacing("-", with: "")
      + String(number / 5_000 + 1_001).suffix(3)
    let check = ResidentID.checkCharacter(of: digits.utf8) ?? 0
    return digits + String(UnicodeScalar(check))
  }

  static func phone(_ number: Int) -> String { String(13_800_000_000 + number) }

  /// Returns the application of the `number`th person, a courier who works in Quegou.
  static func application(
    _ number: Int, _ change: (inout EnrollmentApplication) -> Void = { _ in }
  ) -> EnrollmentApplication {
    var application = EnrollmentApplication()
    application.personName = "张" + names[number % names.count] + names[number / 7 % names.count]
    application.residentID = residentID(number)
    application.phone = phone(number)
    application.group = .courier
    var consent = Consent()
    consent.version = "2026-01"
    consent.evidence = "record-\(number)"
    consent.agreeTime = Timestamp(microseconds: 1_795_000_000_000_000)
    application.consent = consent
    var areas = Areas()
    areas.work = "340603100"
    application.areas = areas
    change(&application)
    return application
  }

  private static let names = ["伟", "芳", "娜", "敏", "静", "磊", "军", "洋", "勇", "艳", "杰"]
}

extension [RoutingRule] {
  /// Everybody is pooled first (Bengbu, Shenyang).
  static let poolFirst: [RoutingRule] = [
    .holdingPool, .employerUnion, .industryFederation, .areaUnion,
  ]
  /// The federation of new forms of employment takes the place of the area's union (Henan).
  static let newForms: [RoutingRule] = [
    .employerUnion, .industryFederation, .newFormFederation, .holdingPool,
  ]
}
