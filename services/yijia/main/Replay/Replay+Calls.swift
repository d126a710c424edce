import Foundation
import GoogleProtobuf
import GoogleType
import MembersV1
import Protobuf
import RPC
import ServiceKit

extension Replay {
  /// Rows in flight; the contract allows 1,000.
  private static let windowRows = 900
  /// Time of everybody's consent: in the past, and the same in every run.
  private static let consentMicroseconds: Int64 = 1_650_931_200_000_000
  private static let pageSize: Int32 = 1_000

  static func names(_ staff: SuiteClient) async throws -> [String: String] {
    var found: [String: String] = [:]
    var request = ListOrganizationsRequest()
    request.pageSize = pageSize
    repeat {
      let page = try await staff.members.listOrganizations(request, options: staff.options)
      for organization in page.organizations { found[organization.externalID] = organization.name }
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return found
  }

  /// - Throws: ``ConfigurationError`` for an organization that was not imported.
  func organization(_ externalID: String) throws -> String {
    guard let name = organizations[externalID] else {
      throw ConfigurationError("\(externalID): no such organization; import the example tree first")
    }
    return name
  }

  /// Issues a code of an organization and returns its text.
  func code(
    of externalID: String, campaign: String, acceptsTransfers: Bool = false
  ) async throws -> String {
    var request = IssueOrganizationCodeRequest()
    request.requestID = ids.id("code \(externalID) \(campaign)")
    request.organization = try organization(externalID)
    request.campaign = campaign
    request.acceptsTransfers = acceptsTransfers
    let issued = try await staff.members.issueOrganizationCode(request, options: staff.options)
    return issued.code?.text ?? ""
  }

  /// Enrolls the people of a drive in one bulk stream.
  ///
  /// - Returns: Their enrollments, in the order of the responses.
  func enroll(
    _ drive: ReplayPlan.Drive, _ people: inout InventedPeople
  ) async throws -> [Enrollment] {
    let numbers = people.take(drive.people)
    var code = ""
    if let scanned = drive.codeOf {
      code = try await self.code(of: scanned, campaign: drive.campaign)
    }
    let call = try await staff.members.enrollMembers(options: staff.options)
    let window = Window(Self.windowRows)
    async let sending: Void = send(drive, numbers, code: code, on: call, window)
    defer { window.finish() }
    var enrollments: [Enrollment] = []
    for try await response in call.responses {
      switch response.result {
      case .enrollment(let enrollment): enrollments.append(enrollment)
      case .error(let error): throw ConfigurationError("\(drive.campaign): \(error.message)")
      case nil: break
      }
      window.open()
      if enrollments.count % 500 == 0 {
        Terminal.progress("\(drive.campaign) \(enrollments.count)/\(drive.people)")
      }
    }
    window.finish()
    try await sending
    return enrollments
  }

  private func send(
    _ drive: ReplayPlan.Drive, _ numbers: Range<Int>, code: String,
    on call: BidirectionalCall<EnrollMembersRequest, EnrollMembersResponse>, _ window: Window
  ) async throws {
    for (row, number) in numbers.enumerated() {
      guard await window.wait() else { return }
      var request = EnrollMembersRequest()
      request.row = Int64(row)
      request.requestID = ids.id("person \(number)")
      request.application = Self.application(
        drive, InventedPerson(number, bornIn: drive.bornIn), number, code: code)
      try await call.send(request)
    }
    try await call.finishSending()
  }

  private static func application(
    _ drive: ReplayPlan.Drive, _ person: InventedPerson, _ number: Int, code: String
  ) -> EnrollmentApplication {
    var application = EnrollmentApplication()
    application.personName = person.name
    application.residentID = person.residentID
    application.phone = person.phone
    application.group = enumValue(drive.group, of: OccupationGroup.self)
    application.channel = enumValue(drive.channel, of: MembersV1.Channel.self)
    application.campaign = drive.campaign
    application.organizationCode = code
    application.labourRelation = .none
    application.employerName = drive.unit ?? ""
    var areas = Areas()
    areas.work = drive.areas.isEmpty ? "" : drive.areas[number % drive.areas.count]
    application.areas = areas
    var consent = Consent()
    consent.version = "2022-04"
    consent.evidence = "replay/\(number)"
    consent.agreeTime = Timestamp(microseconds: consentMicroseconds)
    application.consent = consent
    return application
  }

  /// Reads all pages of a list.
  func pages<Row>(
    _ page: (_ token: String) async throws -> (rows: [Row], next: String)
  ) async throws -> [Row] {
    var (rows, token): ([Row], String) = ([], "")
    repeat {
      let (more, next) = try await page(token)
      rows += more
      token = next
    } while !token.isEmpty
    return rows
  }

  func poolCases(of organization: String, _ states: [PoolCaseState]) async throws -> [PoolCase] {
    var request = ListPoolCasesRequest()
    request.ancestor = organization
    request.states = states
    request.pageSize = Self.pageSize
    return try await pages { token in
      request.pageToken = token
      let page = try await staff.members.listPoolCases(request, options: staff.options)
      return (page.poolCases, page.nextPageToken)
    }
  }

  /// Today's date in China.
  var today: GoogleType.Date {
    let day = ChinaDate(microseconds: Clock.system.microseconds)
    return Self.date(day.year, day.month, day.day)
  }

  static func date(_ year: Int, _ month: Int, _ day: Int) -> GoogleType.Date {
    var date = GoogleType.Date()
    (date.year, date.month, date.day) = (Int32(year), Int32(month), Int32(day))
    return date
  }
}
