import MembersV1
import RPC
import ServiceKit

/// The chapters on holding pools: members are pooled first and assigned afterwards, or approved
/// first.
extension Replay {
  /// Everybody becomes a member in the holding pool at once; custodians dispatch them to the
  /// federations.
  func huaibei(_ people: inout InventedPeople) async throws -> [ReplayRow] {
    let chapter = plan.huaibei
    let city = try organization(chapter.organization)
    var drive = ReplayPlan.Drive()
    drive.campaign = "淮北一会一码"
    drive.channel = "GOVERNMENT_APP"
    drive.bornIn = "340600"
    drive.areas = ["340603001", "340602001", "340603100"]
    drive.people = chapter.people
    _ = try await enroll(drive, &people)
    let federations = organizations.keys.sorted().filter {
      $0.hasPrefix("huaibei-industry-") || $0.hasPrefix("huaibei-joint-")
    }.compactMap { organizations[$0] }
    try await dispatch(to: federations, below: city)
    try await settle(chapter, below: city)
    let all = try await poolCases(of: city, [.waiting, .assigned, .confirmed])
    let place = LocalizedText(zh: "淮北", en: "Huaibei")
    let confirmed = all.filter { $0.state == .confirmed }
    return [
      ReplayRow(
        place: place,
        what: LocalizedText(zh: "先入会再分流：进入周转池", en: "members at once, in the holding pool"),
        expected: "\(chapter.people)", found: "\(all.count)"),
      ReplayRow(
        place: place,
        what: LocalizedText(
          zh: "行业、园区工会联合会接收", en: "federations of industries and parks that took some"),
        expected: "\(chapter.federations)", found: "\(Set(confirmed.map(\.receiver)).count)"),
      ReplayRow(
        place: place, what: LocalizedText(zh: "分流确认落会", en: "placed: the federation confirmed"),
        expected: "\(chapter.people - chapter.returned)", found: "\(confirmed.count)"),
      ReplayRow(
        place: place, what: LocalizedText(zh: "退回，等待再分流", en: "given back, waiting again"),
        expected: "\(chapter.returned)",
        found: "\(all.filter { $0.state == .waiting && $0.returns > 0 }.count)"),
    ]
  }

  /// Assigns all waiting cases in one stream, to the federations in turn.
  private func dispatch(to federations: [String], below city: String) async throws {
    let waiting = try await poolCases(of: city, [.waiting]).filter { $0.returns == 0 }
    guard !waiting.isEmpty, !federations.isEmpty else { return }
    let rows = waiting.sorted { $0.name < $1.name }.enumerated().map { index, poolCase in
      var request = DispatchPoolCasesRequest()
      request.requestID = ids.id("dispatch \(poolCase.name)")
      request.row = Int64(index)
      request.name = poolCase.name
      request.receiver = federations[index % federations.count]
      return request
    }
    let call = try await staff.members.dispatchPoolCases(options: staff.options)
    try await RowStream.exchange(rows, on: call) { _, response in
      if case .error(let error) = response.result { throw ConfigurationError(error.message) }
    }
  }

  /// Lets the federations confirm their cases, and return some.
  private func settle(_ chapter: ReplayPlan.Huaibei, below city: String) async throws {
    let given = try await poolCases(of: city, [.waiting]).filter { $0.returns > 0 }.count
    let assigned = try await poolCases(of: city, [.assigned]).sorted { $0.name < $1.name }
    for (index, poolCase) in assigned.enumerated() {
      if index < chapter.returned - given {
        var request = ReturnPoolCaseRequest()
        request.requestID = ids.id("return \(poolCase.name)")
        request.name = poolCase.name
        request.reason = "不属于本行业"
        _ = try await staff.members.returnPoolCase(request, options: staff.options)
      } else {
        var request = ConfirmPoolCaseRequest()
        request.requestID = ids.id("confirm \(poolCase.name)")
        request.name = poolCase.name
        _ = try await staff.members.confirmPoolCase(request, options: staff.options)
      }
    }
  }

  /// Applicants who would be routed to the pool wait for approval.
  func bengbu(_ people: inout InventedPeople) async throws -> [ReplayRow] {
    let chapter = plan.bengbu
    var drive = ReplayPlan.Drive()
    drive.campaign = "蚌工E家货车司机网上入会"
    drive.channel = "OFFICIAL_ACCOUNT"
    drive.bornIn = "340303"
    drive.areas = ["340303001", "340303007"]
    drive.people = chapter.people
    let applied = try await enroll(drive, &people).map(\.name)
    for (index, name) in applied.prefix(chapter.approved + chapter.refused).enumerated() {
      if index < chapter.approved {
        var request = ApproveEnrollmentRequest()
        request.requestID = ids.id("approve \(name)")
        request.name = name
        _ = try await staff.members.approveEnrollment(request, options: staff.options)
      } else {
        var request = RefuseEnrollmentRequest()
        request.requestID = ids.id("refuse \(name)")
        request.name = name
        request.reason = .wrongData
        _ = try await staff.members.refuseEnrollment(request, options: staff.options)
      }
    }
    let place = LocalizedText(zh: "蚌埠", en: "Bengbu")
    let row = { (what: LocalizedText, expected: Int, state: EnrollmentState) in
      ReplayRow(
        place: place, what: what, expected: "\(expected)",
        found: "\(try await enrollments(of: chapter.organization, state))")
    }
    return [
      try await row(
        LocalizedText(zh: "审批通过，进入周转池", en: "approved, in the holding pool"), chapter.approved,
        .admitted),
      try await row(LocalizedText(zh: "审批退回", en: "refused"), chapter.refused, .refused),
      try await row(
        LocalizedText(zh: "等待审批", en: "waiting for approval"),
        chapter.people - chapter.approved - chapter.refused, .pending),
    ]
  }

  private func enrollments(of externalID: String, _ state: EnrollmentState) async throws -> Int {
    var request = ListEnrollmentsRequest()
    request.ancestor = try organization(externalID)
    request.states = [state]
    request.pageSize = 1_000
    return try await staff.members.listEnrollments(request, options: staff.options)
      .enrollments.count
  }
}
