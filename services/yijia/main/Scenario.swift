import Foundation
import GoogleProtobuf
import GoogleType
import MembersV1
import RPC
import ServiceKit
import StationsV1

/// The main use case, run through the gateway: imports organizations, enrolls a roster as a
/// partner, reports visits as a kiosk, and prints statistics. A repeated run continues with the
/// existing data: the roster is a retry, the kiosk reports further visits.
struct Scenario {
  /// State that later runs need from earlier ones.
  struct Memory: Codable {
    var kiosk: String
    var point: String
    var kioskAPIKey: String
    var spoolEpoch: String
  }

  private static let membersVisiting = 40
  private static let anonymousVisits = 12

  let settings: DevelopmentSettings
  let files: DevelopmentFiles
  var connection: ConnectionFile
  /// The text of a union's code; empty if none could be issued.
  private var code = ""

  init(settings: DevelopmentSettings, files: DevelopmentFiles, connection: ConnectionFile) {
    self.settings = settings
    self.files = files
    self.connection = connection
  }

  /// Imports the organizations, registers a point and a kiosk, and writes the connection file.
  mutating func prepare() async throws {
    let staff = try SuiteClient(file: connection, credential: .staff)
    do {
      let tree = OrganizationImport(
        try CSVFile(path: settings.organizationsFile, columns: OrganizationColumns.all))
      let imported = try await tree.run(staff)
      Terminal.say("organizations 组织: \(imported.stored) stored")
      try RefusedRows.report(imported.refused, of: tree.table, to: nil)
      let memory = try await rememberedKiosk(staff)
      connection.kiosk = memory.kiosk
      connection.station = memory.point
      connection.kioskAPIKey = memory.kioskAPIKey
      // Without an example the suite is as good: its organizations may have been changed since.
      code = (try? await exampleCode(staff)) ?? ""
      try connection.write(files.file("connection.json"))
    } catch {
      await staff.close()
      throw error
    }
    await staff.close()
  }

  /// Enrolls the roster, reports visits and prints the statistics.
  func run() async throws {
    let partner = try SuiteClient(file: connection, credential: .partner)
    let staff = try SuiteClient(file: connection, credential: .staff)
    let kiosk = try SuiteClient(file: connection, credential: .kiosk)
    do {
      try await enroll(partner)
      try await reportVisits(kiosk, staff: staff)
      try await showStatistics(staff)
    } catch {
      for client in [partner, staff, kiosk] { await client.close() }
      throw error
    }
    for client in [partner, staff, kiosk] { await client.close() }
  }

  /// Prints where people find the suite's pages.
  func sayPages() {
    Terminal.say(
      "console 工会工作台: \(files.address)/console\n"
        + "  (an account for it 登录账号: yijia staff create --help)")
    guard !code.isEmpty else { return }
    Terminal.say(
      "a union's code 工会的码: \(files.address)\(DevelopmentFiles.codePath)\(code)\n"
        + "  (one-time codes 验证码: \(files.file("logs/gateway.log")))")
  }

  private func enroll(_ partner: SuiteClient) async throws {
    let roster = try RosterEnrollment(
      CSVFile(path: settings.rosterFile, columns: RosterColumns.all))
    Terminal.note("enrolling \(roster.rowCount) rows of \(settings.rosterFile)")
    let result = try await roster.run(partner) { Terminal.progress($0) }
    Terminal.endProgress()
    Terminal.say(
      "roster 名册: \(roster.rowCount) rows, \(result.received) received, "
        + "\(result.refused.count) refused")
    try RefusedRows.report(result.refused, of: roster.table, to: nil)
  }

  private func reportVisits(_ kiosk: SuiteClient, staff: SuiteClient) async throws {
    var request = ListMembersRequest()
    request.pageSize = Int32(Self.membersVisiting)
    let members = try await staff.members.listMembers(request, options: staff.options).members
    var visits: [ReportedVisit] = []
    for member in members {
      var request = GetMemberCodeRequest()
      request.name = member.name
      let code = try await staff.members.getMemberCode(request, options: staff.options).code
      visits.append(visit(code: code, services: [.rest, .drinkingWater]))
    }
    for _ in 0..<Self.anonymousVisits { visits.append(visit(code: "", services: [.toilet])) }
    for visit in visits.prefix(Self.membersVisiting / 2) {
      var departure = visit
      departure.direction = .departure
      visits.append(departure)
    }
    let memory = try rememberedMemory()
    let result = try await VisitReport(epoch: memory.spoolEpoch).run(kiosk, visits: visits)
    let departures = visits.count { $0.direction == .departure }
    Terminal.say(
      "kiosk 终端: \(visits.count - departures) arrivals and \(departures) departures reported, all "
        + "acknowledged up to \(result.acknowledged); \(result.notices.count) set aside")
  }

  private func visit(code: String, services: [Facility]) -> ReportedVisit {
    var visit = ReportedVisit()
    visit.deviceTime = Timestamp(microseconds: Clock.system.microseconds)
    visit.memberCode = code
    visit.direction = .arrival
    visit.servicesUsed = services
    return visit
  }

  private func showStatistics(_ staff: SuiteClient) async throws {
    let enrolled = try await staff.members.getEnrollmentStatistics(
      GetEnrollmentStatisticsRequest(), options: staff.options)
    Terminal.say(EnrollmentTable.text(enrolled.counts))
    let visits = try await staff.stations.getDailyVisitStatistics(
      GetDailyVisitStatisticsRequest(), options: staff.options)
    var days = Table(
      "Visits per point and day 站点到访",
      [
        ("point 站点", .left), ("day 日期", .left), ("visits 到访", .right),
        ("members 会员", .right), ("unmatched 未识别", .right), ("anonymous 匿名", .right),
        ("unique 人数", .right), ("set aside 搁置", .right),
      ])
    for day in visits.days {
      days.add(
        day.displayName, dayText(day.date), "\(day.visits)", "\(day.matched)", "\(day.unmatched)",
        "\(day.anonymous)", "\(day.uniqueMembers)", "\(day.setAside)")
    }
    Terminal.say(days.text)
  }
}

extension Scenario {
  private var memoryFile: URL { files.folder.appending(path: "keys/kiosk.json") }

  private func rememberedMemory() throws -> Memory {
    try JSONDecoder().decode(Memory.self, from: Data(contentsOf: memoryFile))
  }

  private func rememberedKiosk(_ staff: SuiteClient) async throws -> Memory {
    if let memory = try? rememberedMemory() { return memory }
    let ids = StableRequestID(Data(files.credentials.staffToken.utf8))
    var request = CreatePointRequest()
    request.requestID = ids.id("point")
    request.point = examplePoint(organization: try await cityFederation(staff))
    request.coordinateSystem = .gcj02
    let created = try await staff.stations.createPoint(request, options: staff.options)
    var open = OpenPointRequest()
    open.requestID = ids.id("open")
    open.name = created.point?.name ?? ""
    _ = try await staff.stations.openPoint(open, options: staff.options)
    var register = RegisterKioskRequest()
    register.requestID = ids.id("kiosk")
    register.point = open.name
    register.displayName = "1号终端"
    let kiosk = try await staff.stations.registerKiosk(register, options: staff.options)
    let memory = Memory(
      kiosk: kiosk.kiosk?.name ?? "", point: open.name, kioskAPIKey: kiosk.apiKey,
      spoolEpoch: UUID().uuidString.lowercased())
    try SecretFile.write(try JSONEncoder().encode(memory), to: memoryFile)
    return memory
  }

  /// A driver home in Qinhuangdao, with its location in GCJ-02.
  private func examplePoint(organization: String) -> Point {
    var location = LatLng()
    location.latitude = 39.9354
    location.longitude = 119.6005
    var point = Point()
    point.displayName = "秦皇岛港司机之家"
    point.kind = .driverHome
    point.location = location
    point.address = "河北省秦皇岛市海港区"
    point.regionCode = "130302"
    point.facilities = [.parking, .rest, .shower, .drinkingWater, .charging, .toilet]
    point.capacity = 60
    point.managingOrganization = organization
    return point
  }

  /// Issues a code of the first township's union; the same one at each start.
  private func exampleCode(_ staff: SuiteClient) async throws -> String {
    var list = ListOrganizationsRequest()
    list.pageSize = 1
    list.kinds = [.townshipUnion]
    let union = try await staff.members.listOrganizations(list, options: staff.options)
    let name = union.organizations.first?.name ?? ""
    var request = IssueOrganizationCodeRequest()
    request.requestID = StableRequestID(Data(files.credentials.staffToken.utf8)).id("code \(name)")
    request.organization = name
    let response = try await staff.members.issueOrganizationCode(request, options: staff.options)
    return response.code?.text ?? ""
  }

  /// Returns the federation of the example's city, or else the first regional federation.
  private func cityFederation(_ staff: SuiteClient) async throws -> String {
    var request = ListOrganizationsRequest()
    request.pageSize = 1_000
    request.kinds = [.regionalFederation]
    let all = try await staff.members.listOrganizations(request, options: staff.options)
    let city = all.organizations.first { $0.regionCode == "130300" } ?? all.organizations.first
    return city?.name ?? ""
  }
}
