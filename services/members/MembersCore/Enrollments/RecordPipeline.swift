import RPC

/// Answers a stream of records in their order, many at a time, so that their writes share commits.
///
/// At most `window` records are read and unsent at any moment, whatever the client does: a client
/// that does not read its results is not read from. A record that needs another one (a child its
/// parent, a person their record before) waits until that one is answered.
struct RecordPipeline<Request: WireMessage, Response: WireMessage>: Sendable {
  /// What a record is known by, and what those that it must come after are known by.
  struct Order: Sendable {
    var own: [String] = []
    var needs: [String] = []
  }

  let window: Int
  /// How many records that came together are answered together, at most.
  let batch: Int
  let order: @Sendable (Request) -> Order
  /// The results of records, as many, in their order. What it throws ends the stream: a refused
  /// record is a result.
  let answer: @Sendable ([Request]) async throws -> [Response]

  /// Records that are answered together; within a batch whoever answers sees to the order.
  init(
    window: Int, batch: Int, order: @escaping @Sendable (Request) -> Order,
    answer: @escaping @Sendable ([Request]) async throws -> [Response]
  ) {
    self.window = window
    self.batch = min(batch, window)
    self.order = order
    self.answer = answer
  }

  /// Records that are answered each for itself.
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
    /// None at the end.
    case read([Request])
    case answered(Int, [Response])
  }

  /// The records under way, in batches.
  private struct Flight {
    var started = 0
    var sent = 0
    var answered: [Int: [Response]] = [:]
    /// Keys of the batches that are not answered yet, by batch.
    private var keys: [Int: [String]] = [:]
    /// The same, and how often each is held.
    private var held: [String: Int] = [:]
    var isReading = false
    var hasEnded = false
    /// Read, and waiting for a record that they need.
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

  /// Runs until the client has ended its side and every result is sent.
  ///
  /// - Throws: what `answer`, the requests or the responses throw.
  func run(_ requests: RequestStream<Request>, _ responses: ResponseWriter<Response>) async throws {
    try await withThrowingTaskGroup(of: Event.self) { group in
      var flight = Flight()
      read(requests, &flight, &group)
      while let event = try await group.next() {
        take(event, &flight)
        start(&flight, &group)
        // Before what is sent, which may wait for the client.
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

  /// Starts the records that were read last, where nothing that they need is under way.
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

  /// Reads on, where there is room and nothing is being read or waiting. There is room for full
  /// batches only: so what comes meanwhile makes the next ones full.
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
