import RPC

/// Answers a stream of records in their order, many at a time, so that their writes share commits.
///
/// At most `window` records are read and unsent at any moment, whatever the client does: a client
/// that does not read its results is not read from. A record that needs another one (a child its
/// parent) waits until that one is answered.
struct RecordPipeline<Request: WireMessage, Response: WireMessage>: Sendable {
  /// What a record is known by, and what those that it must come after are known by.
  struct Order: Sendable {
    var own: [String] = []
    var needs: [String] = []
  }

  let window: Int
  var order: @Sendable (Request) -> Order = { _ in Order() }
  /// The result of one record. What it throws ends the stream: a refused record is a result.
  let answer: @Sendable (Request) async throws -> Response

  private enum Event: Sendable {
    case read(Request?)
    case answered(Int, Response)
  }

  /// The records under way.
  private struct Flight {
    var started = 0
    var sent = 0
    var answered: [Int: Response] = [:]
    /// Keys of the records that are not answered yet, by record.
    var keys: [Int: [String]] = [:]
    var isReading = false
    var hasEnded = false
    /// Read, and waiting for a record that it needs.
    var waiting: Request?

    func holds(_ needs: [String]) -> Bool {
      keys.values.contains { own in own.contains { needs.contains($0) } }
    }

    mutating func nextAnswer() -> Response? {
      guard let response = answered.removeValue(forKey: sent) else { return nil }
      sent += 1
      return response
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
        while let response = flight.nextAnswer() { try await responses.send(response) }
        read(requests, &flight, &group)
      }
    }
  }

  private func take(_ event: Event, _ flight: inout Flight) {
    switch event {
    case .read(let record):
      flight.isReading = false
      flight.waiting = record
      flight.hasEnded = record == nil
    case .answered(let index, let response):
      flight.keys[index] = nil
      flight.answered[index] = response
    }
  }

  /// Starts the record that was read last, where nothing that it needs is under way.
  private func start(_ flight: inout Flight, _ group: inout ThrowingTaskGroup<Event, any Error>) {
    guard let record = flight.waiting else { return }
    let order = order(record)
    guard order.needs.isEmpty || !flight.holds(order.needs) else { return }
    let index = flight.started
    flight.waiting = nil
    flight.started += 1
    if !order.own.isEmpty { flight.keys[index] = order.own }
    group.addTask { .answered(index, try await answer(record)) }
  }

  /// Reads one more record, where there is room and none is being read or waiting.
  private func read(
    _ requests: RequestStream<Request>, _ flight: inout Flight,
    _ group: inout ThrowingTaskGroup<Event, any Error>
  ) {
    guard !flight.isReading, !flight.hasEnded, flight.waiting == nil,
      flight.started - flight.sent < window
    else { return }
    flight.isReading = true
    group.addTask {
      var iterator = requests.makeAsyncIterator()
      return .read(try await iterator.next())
    }
  }
}
