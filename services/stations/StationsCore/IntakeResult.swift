import ServiceKit
import StationsV1
import Storage

/// What became of a batch.
struct IntakeResult: Sendable {
  /// Every visit of the epoch up to this one is durable.
  var acknowledged: Int64
  var notices: [VisitBatch.Notice]
  /// A visit with others missing before it.
  var gap: Int64?
  /// Whether stays may have changed.
  var hasTaken: Bool

  /// The acknowledgement.
  func response(_ stream: KioskStream, in language: Language) -> ReportVisitsResponse {
    var response = ReportVisitsResponse()
    response.acknowledgedSequence = acknowledged
    response.clockSkewMs = stream.skewMilliseconds
    response.notices = notices.map { notice in
      var message = VisitNotice()
      message.sequence = notice.sequence
      message.reason = notice.reason
      message.message = notice.text.text(in: language)
      return message
    }
    return response
  }
}

extension StationsService {
  /// Stores a batch of visits with all that follows from them, in one commit.
  func store(_ batch: [ReportedVisit], of stream: KioskStream) async throws -> IntakeResult {
    if batch.contains(where: { $0.sequence < 1 }) {
      var checks = FieldChecks()
      checks.fail(
        "visit.sequence", "OUT_OF_RANGE", zh: "应从 1 起连续编号。",
        en: "must count from 1 on without gaps.")
      try checks.finish()
    }
    let visits = batch.map { CheckedVisit($0, of: stream) }
    let resolved = try await resolve(visits)
    let intake = VisitIntake(
      stream: stream, visits: visits, resolved: resolved, rules: rules, now: clock.now)
    let result = try await database.write { intake.step }
    if result.hasTaken { hub.wake(.occupancy(point: stream.point)) }
    return result
  }

  /// Whose the codes are that are not known here yet.
  private func resolve(_ visits: [CheckedVisit]) async throws -> [[UInt8]: KnownMember] {
    var codes: [[UInt8]: String] = [:]
    for visit in visits where visit.fault == nil {
      if let hash = visit.codeSHA256, let code = visit.code { codes[hash] = code }
    }
    guard !codes.isEmpty else { return [:] }
    let known = try await database.read(MemberCodeStore.members(of: Array(codes.keys)))
    for hash in known.keys { codes[hash] = nil }
    return await members.members(of: codes.values.sorted())
  }
}
