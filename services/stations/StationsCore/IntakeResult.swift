import RPC
import ServiceKit
import StationsV1
import Storage

/// The result of storing a batch of visits.
struct IntakeResult: Sendable {
  /// The cumulative acknowledgement: every visit of the epoch up to this sequence is durable.
  var acknowledged: Int64
  var notices: [VisitBatch.Notice]
  /// Sequence of a visit that is preceded by missing ones; nil where there is no gap.
  var gap: Int64?
  /// Whether visits were stored, so that the occupancy may have changed.
  var hasTaken: Bool

  /// Returns the acknowledgement message.
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
  /// Stores a batch of visits and everything derived from them in one commit.
  /// - Parameter options: Those of calls within the one that is served.
  func store(
    _ batch: [ReportedVisit], of stream: KioskStream, _ options: CallOptions = CallOptions()
  ) async throws -> IntakeResult {
    if batch.contains(where: { $0.sequence < 1 }) {
      var checks = FieldChecks()
      checks.fail(
        "visit.sequence", "OUT_OF_RANGE", zh: "应从 1 起连续编号。",
        en: "must count from 1 on without gaps.")
      try checks.finish()
    }
    let visits = batch.map { CheckedVisit($0, of: stream) }
    let resolved = try await resolve(visits, options)
    let intake = VisitIntake(
      stream: stream, visits: visits, resolved: resolved, rules: rules, now: clock.now)
    let result = try await database.write { intake.step }
    if result.hasTaken { hub.wake(.occupancy(point: stream.point)) }
    return result
  }

  /// Asks yijia-members for the members of codes that are unknown here.
  private func resolve(
    _ visits: [CheckedVisit], _ options: CallOptions
  ) async throws -> [[UInt8]: KnownMember] {
    var codes: [[UInt8]: String] = [:]
    for visit in visits where visit.fault == nil {
      if let hash = visit.codeSHA256, let code = visit.code { codes[hash] = code }
    }
    guard !codes.isEmpty else { return [:] }
    let known = try await database.read(MemberCodeStore.members(of: Array(codes.keys)))
    for hash in known.keys { codes[hash] = nil }
    return await members.members(of: codes.values.sorted(), options)
  }
}
