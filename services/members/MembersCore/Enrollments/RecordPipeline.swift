import RPC

/// Processes a stream of records concurrently and responds in order, so that their writes share
/// commits.
///
/// At most `window` records are read but not answered on the stream, so a client that does not read
/// its results is not read from. A record that depends on another one (a child on its parent, a
/// record on an earlier one of the same person) waits until that one is processed.
struct RecordPipeline<Request: WireMessage, Response: WireMessage>: Sendable {
  /// The ordering keys of a record: its own, and those of the records on which it depends.
  struct Order: Sendable {
    var own: [String] = []
    var needs: [String] = []
  }

  let window: Int
  /// The maximum number of records processed together.
  let batch: Int
  let order: @Sendable (Request) -> Order
  /// Returns the results of records, in their order. An error that it throws ends the stream; a
  /// refused record is a result.
  let answer: @Sendable ([Request]) async throws -> [Response]

  /// Creates a pipeline that processes records in batches; `answer` must preserve the order within
  /// a batch.
  init(
    window: Int, batch: Int, order: @escaping @Sendable (Request) -> Order,
    answer: @escaping @Sendable ([Request]) async throws -> [Response]
  ) {
    self.window = window
    self.batch = min(batch, window)
    self.order = order
    self.answer = answer
  }

  /// Creates a pipeline that processes each record separately.
  init(
    window: Int, order: @escaping @Sendable (Request) -> Order = { _ in Order() },
    answer: @escaping @Sendable (Request) async throws -> Response
  ) {
    self.window = window
    batch = 1
    self.order = order
    self.answer = { records in
      var responses: [Response] = []
      for record in records { responses.append(try await answer(record)) }
      return responses
    }
  }

  private enum Event: Sendable {
    /// Records that were read; none at the end of the stream.
    case read([Request])
    case answered(Int, [Response])
  }

  /// The batches in progress.
  private struct Flight {
    var started = 0
    var sent = 0
    var answered: [Int: [Response]] = [:]
    /// The keys of the unfinished batches, by batch.
    private var keys: [Int: [String]] = [:]
    /// The number of unfinished batches by key.
    private var held: [String: Int] = [:]
    var isReading = false
    var hasEnded = false
    /// Records that were read and wait for records on which they depend.
    var waiting: [Request] = []

    func holds(_ needs: [String]) -> Bool { needs.contains { held[$0] != nil } }

    mutating func hold(_ own: [String]) {
      for key in own { held[key, default: 0] += 1 }
      keys[started] = own
      started += 1
    }

    mutating func release(_ batch: Int) {
      for key in keys.removeValue(forKey: batch) ?? [] {
        held[key] = held[key].flatMap { $0 > 1 ? $0 - 1 : nil }
      }
    }

    mutating func nextAnswers() -> [Response]? {
      guard let responses = answered.removeValue(forKey: sent) else { return nil }
      sent += 1
      return responses
    }
  }

  /// Runs until the client has half-closed and every result is sent.
  ///
  /// - Throws: The errors of `answer`, the requests and the responses.
  func run(_ requests: RequestStream<Request>, _ responses: ResponseWriter<Response>) async throws {
    try await withThrowingTaskGroup(of: Event.self) { group in
      var flight = Flight()
      read(requests, &flight, &group)
      while let event = try await group.next() {
        take(event, &flight)
        start(&flight, &group)
        // Before sending, which may wait for the client.
        read(requests, &flight, &group)
        while let answers = flight.nextAnswers() {
          for response in answers { try await responses.send(response) }
        }
        read(requests, &flight, &group)
      }
    }
  }

  private func take(_ event: Event, _ flight: inout Flight) {
    switch event {
    case .read(let records):
      flight.isReading = false
      flight.waiting = records
      flight.hasEnded = records.isEmpty
    case .answered(let index, let responses):
      flight.release(index)
      flight.answered[index] = responses
    }
  }

  /// Starts the records that were read last, unless they depend on records in progress.
  private func start(_ flight: inout Flight, _ group: inout ThrowingTaskGroup<Event, any Error>) {
    let records = flight.waiting
    guard !records.isEmpty else { return }
    let orders = records.map(order)
    let needs = orders.flatMap(\.needs)
    guard needs.isEmpty || !flight.holds(needs) else { return }
    let index = flight.started
    flight.waiting = []
    flight.hold(orders.flatMap(\.own))
    group.addTask { .answered(index, try await answer(records)) }
  }

  /// Starts the next read if there is room for a full batch and no records are being read or
  /// waiting. Waiting for that room lets records accumulate into full batches.
  private func read(
    _ requests: RequestStream<Request>, _ flight: inout Flight,
    _ group: inout ThrowingTaskGroup<Event, any Error>
  ) {
    guard !flight.isReading, !flight.hasEnded, flight.waiting.isEmpty,
      flight.started - flight.sent < window / batch
    else { return }
    flight.isReading = true
    group.addTask {
      var iterator = requests.makeAsyncIterator()
      return .read(try await iterator.next(upTo: batch))
    }
  }
}
