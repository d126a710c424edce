import GoogleType
import MembersV1
import Protobuf
import RPC
import ServiceKit

/// The chapters on coverage, the away ledger and data freshness.
extension Replay {
  /// Coverage of 40,000 drivers with a target of 95 % and 32,307 enrolled, and the away ledger.
  func baiyin(_ people: inout InventedPeople) async throws -> [ReplayRow] {
    let chapter = plan.baiyin
    let city = try organization(chapter.organization)
    var drive = ReplayPlan.Drive()
    drive.campaign = "白银货车司机兜底建"
    drive.channel = "PHONE"
    drive.bornIn = "620402"
    drive.areas = [
      "620402001", "620402100", "620403001", "620403100", "620421100", "620421101", "620422100",
      "620422101", "620423100", "620423101",
    ]
    drive.people = chapter.people
    let drivers = try await enroll(drive, &people).map(\.member)
    var request = GetCoverageRequest()
    request.organization = city
    request.group = .truckDriver
    let coverage = try await staff.members.getCoverage(request, options: staff.options)
    let people = Int64(chapter.people)
    let needed = (chapter.base * Int64(chapter.targetBasisPoints) + 9_999) / 10_000 - people
    let place = LocalizedText(zh: "白银", en: "Baiyin")
    let rows = [
      ReplayRow(
        place: place, what: LocalizedText(zh: "货车司机入会（农村、社区兜底）", en: "truck drivers enrolled"),
        expected: "\(people)", found: "\(coverage.members)"),
      ReplayRow(
        place: place,
        what: LocalizedText(zh: "确认货车司机基数（2022-04-26）", en: "truck drivers there are (2022-04-26)"),
        expected: "\(chapter.base)", found: "\(coverage.base?.people ?? 0)"),
      ReplayRow(
        place: place, what: LocalizedText(zh: "入会率", en: "coverage"),
        expected: Self.percent(Int32(people * 10_000 / chapter.base)),
        found: Self.percent(coverage.coverageBasisPoints)),
      ReplayRow(
        place: place,
        what: LocalizedText(
          zh: "距 \(Self.percent(chapter.targetBasisPoints)) 目标还差(人)",
          en: "people short of \(Self.percent(chapter.targetBasisPoints))"),
        expected: "\(needed)", found: "\(coverage.peopleNeeded)"),
    ]
    return rows + (try await away(drivers, of: city))
  }

  private static func percent(_ basisPoints: Int32) -> String {
    let hundredths = basisPoints % 100
    let rest = hundredths == 0 ? "" : hundredths < 10 ? ".0\(hundredths)" : ".\(hundredths)"
    return "\(basisPoints / 100)\(rest) %"
  }

  /// Refuses data of a replay with another part: its people and unions are others.
  /// - Throws: ``ConfigurationError`` naming that part.
  func requireSamePart() async throws {
    var request = GetCoverageRequest()
    request.organization = try organization(plan.baiyin.organization)
    request.group = .truckDriver
    let found = try await staff.members.getCoverage(request, options: staff.options).base?.people
    guard let found, found != plan.baiyin.base else { return }
    let part = ReplayOptions.parts.first { wholeBase / Int64($0) == found }
    let whose = part.map { "of a replay with --replay-part \($0)" } ?? "of another plan"
    throw ConfigurationError(
      "these data are \(whose): replay the same, or start with another --data")
  }

  func setTarget() async throws {
    let chapter = plan.baiyin
    let city = try organization(chapter.organization)
    var base = SetBaseRequest()
    base.requestID = ids.id("base")
    base.base = .with {
      $0.organization = city
      $0.group = .truckDriver
      $0.people = chapter.base
      $0.source = chapter.baseSource
      $0.date = .with {
        ($0.year, $0.month, $0.day) =
          (chapter.baseDate.year, chapter.baseDate.month, chapter.baseDate.day)
      }
    }
    _ = try await staff.members.setBase(base, options: staff.options)
    var target = SetCoverageTargetRequest()
    target.requestID = ids.id("target")
    target.target = .with {
      $0.organization = city
      $0.group = .truckDriver
      $0.basisPoints = chapter.targetBasisPoints
    }
    _ = try await staff.members.setCoverageTarget(target, options: staff.options)
  }

  /// The away ledger through village, township and county: reported, reviewed by another person,
  /// sampled at random for a phone check by a third one.
  private func away(_ drivers: [String], of city: String) async throws -> [ReplayRow] {
    let chapter = plan.baiyin.away
    let known = Set(try await awayReports(of: city).map(\.member))
    for driver in drivers.prefix(chapter.reported) where !known.contains(driver) {
      try await report(driver)
    }
    let waiting = try await awayReports(of: city).filter { $0.state == .reported }
    for (index, report) in waiting.sorted(by: { $0.name < $1.name }).enumerated() {
      // In a repeated run no report is waiting.
      if waiting.count == chapter.reported, index < chapter.sentBack {
        try await review(report.name, isSentBack: true)
        try await fix(report.name)
      }
      try await review(report.name, isSentBack: false)
    }
    try await check(of: city)
    let reports = try await awayReports(of: city)
    let place = LocalizedText(zh: "白银", en: "Baiyin")
    return [
      ReplayRow(
        place: place,
        what: LocalizedText(zh: "外出半年以上司机：备案", en: "drivers away for half a year: on file"),
        expected: "\(chapter.reported)", found: "\(reports.filter { $0.state == .filed }.count)"),
      ReplayRow(
        place: place,
        what: LocalizedText(zh: "县级随机电话抽查", en: "of them called at random by the county"),
        expected: "\(chapter.sampled)",
        found: "\(reports.filter { $0.sampled && $0.checkResult != .unspecified }.count)"),
      ReplayRow(
        place: place, what: LocalizedText(zh: "抽查未接通", en: "not reached"),
        expected: "\(chapter.notReached)",
        found: "\(reports.filter { $0.checkResult == .notReached }.count)"),
    ]
  }

  private func awayReports(of city: String) async throws -> [AwayReport] {
    var request = ListAwayReportsRequest()
    request.ancestor = city
    request.states = [.reported, .filed, .away, .returnedForFix]
    request.pageSize = 1_000
    return try await staff.members.listAwayReports(request, options: staff.options).reports
  }

  private var awayDetails: AwayDetails {
    .with {
      $0.destination = "新疆乌鲁木齐"
      $0.contact = "13909430000"
      $0.familyNote = "家中有老人,请社区多关照"
    }
  }

  /// From today for one year; the minimum is half a year.
  private var awayDates: (departure: GoogleType.Date, back: GoogleType.Date) {
    let start = today
    return (start, Self.date(Int(start.year) + 1, Int(start.month), min(Int(start.day), 28)))
  }

  private func report(_ driver: String) async throws {
    var request = ReportAwayRequest()
    request.requestID = ids.id("away \(driver) \(today)")
    request.member = driver
    (request.departureDate, request.returnDate) = awayDates
    request.details = awayDetails
    _ = try await staff.members.reportAway(request, options: staff.options)
  }

  private func review(_ report: String, isSentBack: Bool) async throws {
    var request = ReviewAwayReportRequest()
    request.requestID = ids.id("review \(report) \(isSentBack)")
    request.name = report
    request.sendBack = isSentBack
    request.note = isSentBack ? "请补充流入地址" : ""
    _ = try await reviewer.members.reviewAwayReport(request, options: reviewer.options)
  }

  private func fix(_ report: String) async throws {
    var request = FixAwayReportRequest()
    request.requestID = ids.id("fix \(report) \(today)")
    request.name = report
    (request.departureDate, request.returnDate) = awayDates
    request.details = awayDetails
    _ = try await staff.members.fixAwayReport(request, options: staff.options)
  }

  private func check(of city: String) async throws {
    var draw = DrawAwaySampleRequest()
    draw.requestID = ids.id("draw")
    draw.ancestor = city
    draw.count = plan.baiyin.away.sampled
    let drawn = try await checker.members.drawAwaySample(draw, options: checker.options)
    for (index, report) in drawn.reports.enumerated() {
      var request = RecordAwayCheckRequest()
      request.requestID = ids.id("check \(report)")
      request.name = report
      request.result = index < plan.baiyin.away.notReached ? .notReached : .confirmed
      _ = try await checker.members.recordAwayCheck(request, options: checker.options)
    }
  }

  /// A quarterly refresh round over all records, stale or not.
  func shenyang(_ people: inout InventedPeople) async throws -> [ReplayRow] {
    let chapter = plan.shenyang
    var drive = ReplayPlan.Drive()
    drive.campaign = "辽工网上入会"
    drive.channel = "MINI_PROGRAM"
    drive.bornIn = "210102"
    drive.areas = ["210102002", "210103005"]
    drive.people = chapter.people
    _ = try await enroll(drive, &people)
    let (month, year) = (Int(today.month), Int(today.year))
    let quarter = (month - 1) / 3
    var open = OpenRefreshRoundRequest()
    open.requestID = ids.id("round \(year) \(quarter)")
    open.organization = try organization(chapter.organization)
    open.dueDate = Self.date(year, quarter * 3 + 3, [31, 30, 30, 31][quarter])
    open.allRecords = true
    let opened = try await staff.members.openRefreshRound(open, options: staff.options)
    let round = opened.round?.name ?? ""
    try await refresh(round)
    var get = GetRefreshRoundRequest()
    get.name = round
    let state = try await staff.members.getRefreshRound(get, options: staff.options).round
    let place = LocalizedText(zh: "沈阳", en: "Shenyang")
    let left = Int64(chapter.people) - chapter.confirmed - chapter.unreachable
    return [
      ReplayRow(
        place: place, what: LocalizedText(zh: "季度数据更新：已核实", en: "quarterly refresh: confirmed"),
        expected: "\(chapter.confirmed)", found: "\(state?.confirmedRecords ?? 0)"),
      ReplayRow(
        place: place, what: LocalizedText(zh: "联系不上", en: "not reached"),
        expected: "\(chapter.unreachable)", found: "\(state?.unreachableRecords ?? 0)"),
      ReplayRow(
        place: place, what: LocalizedText(zh: "尚待核实", en: "still to be confirmed"),
        expected: "\(left)", found: "\(state?.staleRecords ?? 0)"),
    ]
  }

  private func refresh(_ round: String) async throws {
    var get = GetRefreshRoundRequest()
    get.name = round
    let before = try await staff.members.getRefreshRound(get, options: staff.options).round
    var list = ListRefreshRecordsRequest()
    list.round = round
    list.pageSize = 1_000
    let records = try await staff.members.listRefreshRecords(list, options: staff.options).records
    let confirmed = max(0, Int(plan.shenyang.confirmed - (before?.confirmedRecords ?? 0)))
    let unreachable = max(0, Int(plan.shenyang.unreachable - (before?.unreachableRecords ?? 0)))
    for record in records.prefix(confirmed) {
      var request = ConfirmMemberRequest()
      request.requestID = ids.id("confirm \(round) \(record.member)")
      request.name = record.member
      _ = try await staff.members.confirmMember(request, options: staff.options)
    }
    for record in records.dropFirst(confirmed).prefix(unreachable) {
      var request = MarkUnreachableRequest()
      request.requestID = ids.id("unreachable \(round) \(record.member)")
      request.round = round
      request.member = record.member
      _ = try await staff.members.markUnreachable(request, options: staff.options)
    }
  }
}
