import GoogleProtobuf
public import RPC
import ServiceKit
public import StationsV1
import Storage

extension StationsService {
  /// Visits per commit: enough to amortize the commit, few enough to delay other writers by
  /// milliseconds only.
  static let visitsPerCommit = 256
  /// Visits of a stream that are queued for a commit before backpressure stops the kiosk.
  private static let visitsWaiting = 2 * visitsPerCommit
  private static let softwareVersionMax = 32

  /// Receives the visits of the calling kiosk: the hello, then visits in sequence. While a batch
  /// commits, the next one accumulates. Each commit is followed by one cumulative acknowledgement.
  public func reportVisits(
    _ requests: RequestStream<ReportVisitsRequest>,
    responses: ResponseWriter<ReportVisitsResponse>, context: ServerContext
  ) async throws {
    let caller = try context.caller
    let language = context.language
    var iterator = requests.makeAsyncIterator()
    guard let first = try await iterator.next(), case .hello(let hello)? = first.message else {
      throw StationsError.helloExpected
    }
    let stream = try kioskStream(hello, caller: caller)
    try await responses.send(try await welcome(stream))

    let queue = BatchQueue<ReportedVisit>(capacity: Self.visitsWaiting)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await Self.gather(requests, into: queue) }
      while let batch = try await queue.takeAll(limit: Self.visitsPerCommit) {
        let result = try await store(batch, of: stream, CallOptions(within: context))
        try await responses.send(result.response(stream, in: language))
        if let gap = result.gap {
          throw StationsError.sequenceGap(expected: result.acknowledged + 1, received: gap)
        }
      }
    }
  }

  /// Reads visits into the queue until the stream ends or a message is not a visit.
  private static func gather(
    _ requests: RequestStream<ReportVisitsRequest>, into queue: BatchQueue<ReportedVisit>
  ) async {
    do {
      for try await request in requests {
        guard case .visit(let visit)? = request.message else { throw StationsError.helloExpected }
        try await queue.append(visit)
      }
      queue.finish()
    } catch {
      queue.finish(throwing: error)
    }
  }

  /// Validates the hello and measures the skew of the kiosk's clock.
  private func kioskStream(_ hello: ReportHello, caller: Caller) throws -> KioskStream {
    let now = clock.microseconds
    var checks = FieldChecks()
    let epoch = checks.epoch(hello.spoolEpoch)
    let deviceAt = hello.deviceTime?.microseconds
    checks.require(
      deviceAt != nil, "hello.device_time", hello.deviceTime == nil ? "REQUIRED" : "OUT_OF_RANGE",
      zh: "应为终端当前时间。", en: "must be the kiosk's clock now.")
    let version = checks.text(
      hello.softwareVersion, "hello.software_version", length: 0...Self.softwareVersionMax)
    let (known, device) = try checks.finish(epoch, deviceAt)
    return KioskStream(
      kiosk: try ResourceName.parse(caller.subject, collection: "kiosks", field: "caller"),
      point: caller.point, epoch: known, skewMilliseconds: (device - now) / 1_000,
      softwareVersion: version)
  }

  /// Returns the response to the hello: the sequence that the kiosk continues after.
  private func welcome(_ stream: KioskStream) async throws -> ReportVisitsResponse {
    let (kiosk, acknowledged) = try await database.read(
      KioskStore.byID(stream.kiosk),
      KioskStore.acknowledged(kiosk: stream.kiosk, epoch: stream.epoch))
    try Self.check(kiosk, of: stream)
    var response = ReportVisitsResponse()
    response.acknowledgedSequence = acknowledged ?? 0
    response.clockSkewMs = stream.skewMilliseconds
    return response
  }

  /// - Throws: An error where the kiosk is unknown, revoked, or registered at another point than
  ///   the caller token states.
  static func check(_ kiosk: StoredKiosk?, of stream: KioskStream) throws {
    guard let kiosk else { throw StationsError.kioskNotFound }
    guard kiosk.revokedAt == nil else { throw StationsError.kioskRevoked }
    guard kiosk.point == stream.point else { throw CommonFailure.outOfScope }
  }
}

extension FieldChecks {
  /// Validates the spool epoch of a hello and returns its canonical form.
  fileprivate mutating func epoch(_ text: String) -> String? {
    if let epoch = try? RequestID.parse(text, field: "hello.spool_epoch") { return epoch }
    fail(
      "hello.spool_epoch", text.isEmpty ? "REQUIRED" : "INVALID_UUID",
      zh: "应为 UUID；缓存丢失后须换用新的。",
      en: "must be a UUID; a kiosk that lost its spool starts a new one.")
    return nil
  }
}
