import RPC
import ServiceKit
import StationsV1
import Synchronization

/// A stations service whose events are set by the test.
final class FakeStations: StationsServiceProtocol, Sendable {
  private struct State {
    var events: [WatchStationEventsResponse] = []
    var watchers: [Int: AsyncStream<Void>.Continuation] = [:]
    var nextWatcher = 0
    var epoch = 1
    var refusesAll = false
  }

  private let state = Mutex(State())
  /// Counts the streams that were opened.
  let streams = Counter()
  let cursors = Shared<[String]>([])

  func add(_ change: KioskChanged, version: Int64) {
    let watchers = state.withLock { state in
      var event = WatchStationEventsResponse()
      event.cursor = "\(state.epoch).\(state.events.count + 1)"
      event.entity = change.kiosk
      event.entityVersion = version
      event.event = .kioskChanged(change)
      state.events.append(event)
      return Array(state.watchers.values)
    }
    for watcher in watchers { watcher.yield() }
  }

  /// Drops everything, as a store restored from an old backup: earlier cursors become foreign.
  func restore() {
    state.withLock { state in
      state.epoch += 1
      state.events = []
    }
  }

  func refuse(_ refuses: Bool) { state.withLock { $0.refusesAll = refuses } }

  func watchStationEvents(
    _ request: WatchStationEventsRequest, responses: ResponseWriter<WatchStationEventsResponse>,
    context: ServerContext
  ) async throws {
    let parts = request.cursor.split(separator: ".").compactMap { Int($0) }
    let (epoch, refuses) = state.withLock { ($0.epoch, $0.refusesAll) }
    cursors.update { $0.append(request.cursor) }
    // Last: a test that has seen this stream begin may change what the next one gets, but not this
    // one.
    streams.add()
    if refuses { throw RPCError(.unavailable, "not now") }
    if let first = parts.first, first != epoch {
      throw RPCError(.invalidArgument, "foreign cursor")
    }
    var next = parts.count == 2 ? parts[1] : 0
    let (changes, continuation) = AsyncStream<Void>.makeStream()
    let id = state.withLock { state in
      state.nextWatcher += 1
      state.watchers[state.nextWatcher] = continuation
      return state.nextWatcher
    }
    defer { state.withLock { $0.watchers[id] = nil } }
    while true {
      let events = state.withLock { Array($0.events.dropFirst(next)) }
      for event in events { try await responses.send(event) }
      next += events.count
      if request.stopAtEnd { return }
      var iterator = changes.makeAsyncIterator()
      guard await iterator.next() != nil else { throw CancellationError() }
    }
  }
}
