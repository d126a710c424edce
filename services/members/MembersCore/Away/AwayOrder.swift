import Foundation
import GoogleType
import MembersV1
import Protobuf
import RPC
import ServiceKit
import Storage
import YijiaTypeV1

/// The validated fields of a report.
struct AwayPlan: Sendable {
  /// The minimum absence in days: half a year (Baiyin); shorter ones are not reported.
  static let daysMin = 180
  private static let destinationCharacters = 2...100
  private static let noteCharactersMax = 200

  let departureDay: Int
  let returnDay: Int
  let details: AwayDetails
  /// Whether the departure is in the past. Checked inside the write, so that a retry on a later day
  /// gets the first reply.
  let isPast: Bool

  init(
    departure: GoogleType.Date?, return back: GoogleType.Date?, details raw: AwayDetails?,
    today: Int, _ checks: inout FieldChecks
  ) {
    departureDay = checks.day(departure, "departure_date") ?? today
    returnDay = checks.day(back, "return_date") ?? departureDay + Self.daysMin
    if departure == nil { checks.add([.required("departure_date")]) }
    if back == nil { checks.add([.required("return_date")]) }
    isPast = departureDay < today
    if returnDay - departureDay < Self.daysMin {
      checks.add(
        "return_date", "OUT_OF_RANGE",
        LocalizedText(
          zh: "外出半年（\(Self.daysMin) 天）以上方需报备。",
          en: "Away for \(Self.daysMin) days or more; shorter need not be reported."))
    }
    let raw = raw ?? AwayDetails()
    var details = AwayDetails()
    details.destination =
      checks.take { () throws(FieldFailure) in
        try PlainText.checked(
          raw.destination, field: "details.destination", characters: Self.destinationCharacters)
      } ?? ""
    details.contact =
      checks.take { () throws(FieldFailure) in
        try PhoneNumber(checking: raw.contact, field: "details.contact").text
      } ?? ""
    details.familyNote =
      checks.take { () throws(FieldFailure) in
        try PlainText.checked(
          raw.familyNote, field: "details.family_note", characters: 0...Self.noteCharactersMax)
      } ?? ""
    self.details = details
  }

  /// - Throws: IN_PAST.
  func checkDeparture() throws {
    guard isPast else { return }
    throw CommonFailure.invalidFields([
      .inPast(
        "departure_date",
        LocalizedText(zh: "应在出发前报备。", en: "A report comes before the departure."))
    ])
  }

  func sealed(_ key: PersonKey) throws -> [UInt8] {
    try key.seal(try details.wireBytes(), table: AwayStore.table, column: "details")
  }
}

/// The validated common fields of a write on one report.
struct AwayOrder: Sendable {
  let caller: Caller
  let requestID: String
  let payload: [UInt8]
  let reportID: String
  let etag: String
  let now: Foundation.Date
  var note = ""

  /// The current day in China, in days since 1970-01-01.
  var today: Int { ChinaDate(microseconds: now.microseconds).daysSinceEpoch }

  /// - Parameter payload: The request with its request id cleared.
  init(
    _ context: ServerContext, requestID: String, name: String, etag: String,
    payload: some Message, at now: Foundation.Date, _ checks: inout FieldChecks
  ) throws {
    caller = try context.caller
    self.requestID =
      checks.requestID(requestID) ?? ""
    reportID =
      checks.resource(name, of: "awayReports", "name") ?? ""
    self.payload = try payload.wireBytes()
    self.etag = etag
    self.now = now
  }
}

extension PlacedAwayReport {
  /// Returns whether the caller may see the report: the member, and staff with the member's
  /// organization in scope.
  func isVisible(to caller: Caller, _ scope: StaffScope) -> Bool {
    caller.kind == .member
      ? caller.subject == "members/\(report.memberID)" : scope.holds(path)
  }
}

extension MembersService {
  /// Changes one report: ledger, scope, etag, state, event, audit entry.
  ///
  /// - Parameters:
  ///   - level: The lowest level whose staff may make the change; `nil` for any.
  ///   - edit: Makes further changes; receives the member's data key.
  /// - Throws: ``MembersError/awayReportNotFound``, ``MembersError/awayLevel``,
  ///   ``MembersError/awayState``, ``CommonFailure``.
  func change(
    _ order: AwayOrder, _ input: AwayProgress.Input, _ context: ServerContext,
    atLeast level: OrganizationLevel? = nil,
    edit: @escaping @Sendable (inout StoredAwayReport, PersonKey) throws -> Void = { _, _ in }
  ) async throws -> AwayReport {
    let keys = keys
    let reply = try await writeOnce(
      order.requestID, payload: order.payload, at: order.now, context
    ) {
      .read(
        StaffScope.query(of: order.caller), AwayStore.byID(order.reportID),
        AwayStore.person(of: order.reportID)
      ) { scope, placed, person in
        guard let placed, let person, !person.isErased,
          placed.isVisible(to: order.caller, scope)
        else { throw MembersError.awayReportNotFound }
        if let level, !scope.isAtLeast(level) { throw MembersError.awayLevel }
        try Etag.check(order.etag, placed.report.version)
        var report = placed.report
        var progress = AwayProgress(report.state)
        try progress.apply(input)
        report.state = progress.state
        report.version += 1
        try edit(&report, try keys.personKey(of: person))
        var commit = Commit(at: order.now)
        AwayStore.update(report, into: &commit)
        commit.emit(try .changed(report))
        commit.record(
          AuditEntry(
            actor: order.caller.subject, action: "awayReports.\(input.rawValue)",
            target: "awayReports/\(report.id)", reason: order.note))
        return .commit(commit, try report.message.wireBytes())
      }
    }
    return try AwayReport(wireBytes: reply)
  }
}
