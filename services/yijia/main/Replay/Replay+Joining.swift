import GoogleType
import MembersV1
import RPC
import ServiceKit

/// The chapters on enrollment drives, member homes and transfers.
extension Replay {
  /// Two enrollment drives by scanning; the ceremony's figure is that of the example roster.
  func qinhuangdao(_ people: inout InventedPeople) async throws -> [ReplayRow] {
    let chapter = plan.qinhuangdao
    for drive in chapter.drives { _ = try await enroll(drive, &people) }
    var request = GetEnrollmentStatisticsRequest()
    request.ancestor = try organization(chapter.organization)
    request.dimensions = [.campaign]
    let statistics = try await staff.members.getEnrollmentStatistics(
      request, options: staff.options)
    let joined = statistics.counts.reduce(into: [:]) { $0[$1.campaign, default: 0] += $1.members }
    let drives = chapter.drives.reduce(0) { $0 + joined[$1.campaign, default: 0] }
    let place = LocalizedText(zh: "秦皇岛", en: "Qinhuangdao")
    return [
      ReplayRow(
        place: place,
        what: LocalizedText(
          zh: "\(chapter.drives.count) 次集中扫码入会",
          en: "joined in \(chapter.drives.count) drives by scanning"),
        expected: "\(chapter.drives.reduce(0) { $0 + $1.people })", found: "\(drives)"),
      ReplayRow(
        place: place,
        what: LocalizedText(
          zh: "集中入会仪式(外卖 55 + 快递 115 + 货车 465)",
          en: "joined at one ceremony (55 riders + 115 couriers + 465 truck drivers)"),
        expected: "\(chapter.ceremonyPeople)",
        found: "\(joined[chapter.ceremonyCampaign, default: 0])"),
    ]
  }

  /// Units of a township's online member home: one stays below the threshold, one reaches it, and
  /// one forms its union.
  func shandong(_ people: inout InventedPeople) async throws -> [ReplayRow] {
    let chapter = plan.shandong
    var drive = ReplayPlan.Drive()
    drive.campaign = "网上会员之家"
    drive.bornIn = "370102"
    drive.codeOf = chapter.home
    drive.group = "DOMESTIC_WORKER"
    for unit in chapter.units {
      (drive.unit, drive.people) = (unit.name, unit.people)
      _ = try await enroll(drive, &people)
    }
    _ = try await units(whenCounted: chapter)
    for unit in try await units(whenCounted: chapter) {
      let union = chapter.units.first { $0.name == unit.displayName }?.union
      if let union { try await form(union, of: unit, guidedBy: chapter.guiding) }
    }
    let after = try await units(whenCounted: chapter)
    return try await withMoved(chapter, after)
  }

  private func withMoved(
    _ chapter: ReplayPlan.Shandong, _ units: [Unit]
  ) async throws -> [ReplayRow] {
    var rows: [ReplayRow] = []
    for planned in chapter.units {
      let unit = units.first { $0.displayName == planned.name } ?? Unit()
      let isFormed = planned.union != nil
      let hasEnough = planned.people >= 25
      let found =
        isFormed
        ? try await memberCount(of: unit.union) : unit.members
      rows.append(
        ReplayRow(
          place: LocalizedText(zh: "山东", en: "Shandong"),
          what: LocalizedText(
            zh: "\(planned.name):"
              + (isFormed
                ? "建会后一次转入" : hasEnough ? "达到 25 人，提醒街道 \(unit.crossings) 次" : "未达 25 人，不提醒"),
            en: "\(planned.name): "
              + (isFormed
                ? "its union is formed, its people moved at once"
                : hasEnough
                  ? "25 are enough, the street is told \(counted(unit.crossings, "time"))"
                  : "fewer than 25, nobody is told")),
          expected: "\(planned.people)", found: "\(found)"))
    }
    return rows
  }

  private func memberCount(of organization: String) async throws -> Int64 {
    var request = GetCoverageRequest()
    request.organization = organization
    return try await staff.members.getCoverage(request, options: staff.options).members
  }

  /// Returns the units of the home after everybody has been counted, which lags the enrollments by
  /// half a second.
  private func units(whenCounted chapter: ReplayPlan.Shandong) async throws -> [Unit] {
    var request = ListUnitsRequest()
    request.ancestor = try organization(chapter.home)
    request.states = [.counting, .triggered, .assigned, .guiding, .unionFormed, .dismissed]
    let end = ContinuousClock.now + .seconds(60)
    while true {
      let units = try await staff.members.listUnits(request, options: staff.options).units
      let isCounted = chapter.units.allSatisfy { planned in
        units.contains {
          $0.displayName == planned.name
            && ($0.state == .unionFormed || $0.members >= Int64(planned.people))
        }
      }
      if isCounted { return units }
      guard ContinuousClock.now < end else {
        throw ConfigurationError("the units of \(chapter.home) are not counted after a minute")
      }
      // Polled: no event reports to staff that the counts were updated.
      try await Task.sleep(for: .milliseconds(100))
    }
  }

  private func form(_ union: String, of unit: Unit, guidedBy guiding: String) async throws {
    var assign = AssignUnitRequest()
    assign.requestID = ids.id("assign \(unit.name)")
    assign.name = unit.name
    assign.union = try organization(guiding)
    _ = try await staff.members.assignUnit(assign, options: staff.options)
    var guide = GuideUnitRequest()
    guide.requestID = ids.id("guide \(unit.name)")
    guide.name = unit.name
    _ = try await staff.members.guideUnit(guide, options: staff.options)
    var form = FormUnitUnionRequest()
    form.requestID = ids.id("form \(unit.name)")
    form.name = unit.name
    form.union = try organization(union)
    _ = try await staff.members.formUnitUnion(form, options: staff.options)
  }

  /// Transfers, accepted at once by the receiver's code or decided by the receiver; the union that
  /// the member leaves is not asked.
  func hefei(_ people: inout InventedPeople) async throws -> [ReplayRow] {
    let chapter = plan.hefei
    var drive = ReplayPlan.Drive()
    drive.campaign = "合肥市总工会码上入会"
    drive.bornIn = "340122"
    drive.codeOf = chapter.from
    drive.people = chapter.atOnce + chapter.accepted + chapter.declined
    let joined = try await enroll(drive, &people).map(\.member)
    let atOnce = try await code(of: chapter.to, campaign: "扫码转会", acceptsTransfers: true)
    let asking = try await code(of: chapter.to, campaign: "申请转会")
    for (index, member) in joined.enumerated() {
      var request = RequestTransferRequest()
      request.requestID = ids.id("transfer \(member)")
      request.member = member
      request.organizationCode = index < chapter.atOnce ? atOnce : asking
      request.reason = "会员手机申请"
      let transfer = try await staff.members.requestTransfer(request, options: staff.options)
      guard let name = transfer.transfer?.name, index >= chapter.atOnce else { continue }
      try await decide(name, isAccepted: index < chapter.atOnce + chapter.accepted)
    }
    let place = LocalizedText(zh: "合肥", en: "Hefei")
    return [
      ReplayRow(
        place: place,
        what: LocalizedText(
          zh: "会籍转移完成，转出工会不审批", en: "transfers completed; who is left is not asked"),
        expected: "\(chapter.atOnce + chapter.accepted)",
        found: "\(try await transfers(.completed))"),
      ReplayRow(
        place: place, what: LocalizedText(zh: "接收工会谢绝", en: "transfers declined by the receiver"),
        expected: "\(chapter.declined)", found: "\(try await transfers(.declined))"),
    ]
  }

  private func decide(_ transfer: String, isAccepted: Bool) async throws {
    if isAccepted {
      var request = AcceptTransferRequest()
      request.requestID = ids.id("accept \(transfer)")
      request.name = transfer
      _ = try await staff.members.acceptTransfer(request, options: staff.options)
    } else {
      var request = DeclineTransferRequest()
      request.requestID = ids.id("decline \(transfer)")
      request.name = transfer
      request.reason = "不在本区域从业"
      _ = try await staff.members.declineTransfer(request, options: staff.options)
    }
  }

  private func transfers(_ state: TransferState) async throws -> Int {
    var request = ListTransfersRequest()
    request.ancestor = try organization(plan.hefei.to)
    request.states = [state]
    request.pageSize = 1_000
    return try await staff.members.listTransfers(request, options: staff.options).transfers.count
  }
}
