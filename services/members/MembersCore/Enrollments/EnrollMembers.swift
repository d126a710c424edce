public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Records of one write: enough that what they have in common costs little, few enough that other
  /// writers wait some milliseconds only.
  ///
  /// On PostgreSQL each is a write of its own. There a write is decided before its transaction, and
  /// one of many records that meets another's is decided again as a whole: 300 a second were
  /// measured with 64 records a write, and 660 with one, which share commits all the same.
  private var recordsPerWrite: Int { database.dialect == .sqlite ? 64 : 1 }

  /// Takes in many applications, a result a record in their order: the same path as
  /// ``submitEnrollment(_:context:)``, those that came together in one write.
  public func enrollMembers(
    _ requests: RequestStream<EnrollMembersRequest>,
    responses: ResponseWriter<EnrollMembersResponse>, context: ServerContext
  ) async throws {
    let caller = try EnrollmentCaller(context)
    let pipeline = RecordPipeline<EnrollMembersRequest, EnrollMembersResponse>(
      window: configuration.enrollmentsInFlight, batch: recordsPerWrite, order: Self.order
    ) { records in
      // Checking and sealing many takes milliseconds: not on the connection's loop.
      try await withTaskExecutorPreference(globalConcurrentExecutor) {
        try await results(of: records, by: caller)
      }
    }
    try await pipeline.run(requests, responses)
  }

  /// What is about one person, phone or request id is decided in the order of the stream. Texts are
  /// compared as they came: of two that only mean the same either may be decided first.
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

  /// The result of each record. What is refused or has failed takes no other with it.
  private func results(
    of requests: [EnrollMembersRequest], by caller: EnrollmentCaller
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
        guard let refusal = RecordError(error, in: caller.language) else { throw error }
        response.result = .error(refusal)
      }
      return response
    }
  }

  /// Enrolls in one commit what has nothing in common; nil for what is to be done alone.
  private func enrollTogether(
    _ entries: [Result<EnrollmentEntry, any Error>]
  ) async throws -> [Result<Enrollment, any Error>?] {
    var outcomes: [Result<Enrollment, any Error>?] = Array(repeating: nil, count: entries.count)
    var marks: Set<EnrollmentEntry.Mark> = []
    var chosen: [(index: Int, entry: EnrollmentEntry)] = []
    for (index, entry) in entries.enumerated() {
      guard case .success(let entry) = entry else { continue }
      // What waits for its turn marks too: nothing that concerns it may overtake it.
      if marks.isDisjoint(with: entry.marks) { chosen.append((index, entry)) }
      marks.formUnion(entry.marks)
    }
    guard chosen.count > 1 else { return outcomes }
    let writes = try chosen.map { place in
      let step = try place.entry.step(keys)
      return { @Sendable () throws -> Step<[UInt8]> in step }
    }
    do {
      let replies = try await database.write { Step.together(writes) }
      for (place, reply) in zip(chosen, replies) {
        outcomes[place.index] = Result { try place.entry.enrollment(of: try reply.get()) }
      }
    } catch let error as StorageError where error.isOfOneWrite {
      // One of them met what was stored meanwhile, say: it must not fail the others.
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
  /// Whether a write may have failed by what it holds itself, so that another one need not.
  fileprivate var isOfOneWrite: Bool {
    switch self {
    case .constraint, .contention, .statement, .limit, .full: true
    default: false
    }
  }
}
