public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// The number of records per write: enough to amortize the common costs, few enough to delay
  /// other writers by milliseconds only.
  private static let recordsPerWrite = 64

  /// Processes many applications and returns one result per record, in order, as
  /// ``submitEnrollment(_:context:)`` does. Records that arrive together share a write.
  public func enrollMembers(
    _ requests: RequestStream<EnrollMembersRequest>,
    responses: ResponseWriter<EnrollMembersResponse>, context: ServerContext
  ) async throws {
    let caller = try EnrollmentCaller(context)
    let fieldNames = context.fieldNames
    let pipeline = RecordPipeline<EnrollMembersRequest, EnrollMembersResponse>(
      window: configuration.enrollmentsInFlight, batch: Self.recordsPerWrite, order: Self.order
    ) { records in
      // Validating and sealing many records takes milliseconds, which must not block the
      // connection's event loop.
      try await withTaskExecutorPreference(globalConcurrentExecutor) {
        try await results(of: records, by: caller, fieldNames)
      }
    }
    try await pipeline.run(requests, responses)
  }

  /// Returns the ordering keys of a record: records with the same person, phone number or request
  /// id are processed in stream order. Keys are compared before normalization, so equivalent
  /// spellings may be processed in either order.
  private static func order(
    of request: EnrollMembersRequest
  ) -> RecordPipeline<EnrollMembersRequest, EnrollMembersResponse>.Order {
    guard let application = request.application else { return .init() }
    let id = application.residentID
    let birth = id.dropFirst(6).prefix(8)
    let keys = [
      ("request", request.requestID), ("id", id), ("phone", application.phone),
      ("name", "\(application.personName) \(birth)"),
    ].filter { !$0.1.isEmpty }.map { "\($0) \($1)" }
    return .init(own: keys, needs: keys)
  }

  /// Returns the result of each record. A refusal or failure does not affect other records.
  private func results(
    of requests: [EnrollMembersRequest], by caller: EnrollmentCaller, _ fieldNames: FieldNames
  ) async throws -> [EnrollMembersResponse] {
    let entries = requests.map { request in
      Result {
        try entry(
          request.application, requestID: request.requestID, isDryRun: request.validateOnly,
          by: caller)
      }
    }
    var outcomes = try await enrollTogether(entries)
    for (index, outcome) in outcomes.enumerated() where outcome == nil {
      outcomes[index] = await Self.outcome { try await enroll(try entries[index].get()) }
    }
    return try zip(requests, outcomes).map { request, outcome in
      var response = EnrollMembersResponse()
      response.row = request.row
      do {
        guard let outcome else { preconditionFailure("each record has its outcome by now") }
        response.result = .enrollment(try outcome.get())
      } catch {
        guard let refusal = RecordError(error, in: caller.language, fieldNames) else { throw error }
        response.result = .error(refusal)
      }
      return response
    }
  }

  /// Enrolls independent entries in one commit; returns `nil` for entries to be enrolled alone.
  private func enrollTogether(
    _ entries: [Result<EnrollmentEntry, any Error>]
  ) async throws -> [Result<Enrollment, any Error>?] {
    var outcomes: [Result<Enrollment, any Error>?] = Array(repeating: nil, count: entries.count)
    var marks: Set<EnrollmentEntry.Mark> = []
    var chosen: [(index: Int, entry: EnrollmentEntry)] = []
    for (index, entry) in entries.enumerated() {
      guard case .success(let entry) = entry else { continue }
      // Entries left for later count, too, so that no dependent entry overtakes them.
      if marks.isDisjoint(with: entry.marks) { chosen.append((index, entry)) }
      marks.formUnion(entry.marks)
    }
    guard chosen.count > 1 else { return outcomes }
    let writes = try chosen.map { place in
      let step = try place.entry.step(keys)
      return { @Sendable () throws -> Step<[UInt8]> in step }
    }
    do {
      let replies = try await database.writeLarge { Step.together(writes) }
      for (place, reply) in zip(chosen, replies) {
        outcomes[place.index] = Result { try place.entry.enrollment(of: try reply.get()) }
      }
    } catch let error as StorageError where error.isOfOneWrite {
      // For example a conflict of one entry with a concurrent write, which must not fail the
      // others.
    } catch {
      for place in chosen { outcomes[place.index] = .failure(error) }
    }
    return outcomes
  }

  private static func outcome(
    _ body: () async throws -> Enrollment
  ) async -> Result<Enrollment, any Error> {
    do { return .success(try await body()) } catch { return .failure(error) }
  }
}

extension StorageError {
  /// Whether the error may be specific to one write, so that others may succeed.
  fileprivate var isOfOneWrite: Bool {
    switch self {
    case .constraint, .contention, .statement, .limit, .full: true
    default: false
    }
  }
}
