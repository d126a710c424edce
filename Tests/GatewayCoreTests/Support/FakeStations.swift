import RPC
import ServiceKit
import StationsV1
import Synchronization

/// The events of yijia-stations, as a test writes them.
final class FakeStations: StationsServiceProtocol, Sendable {
  private struct State {
    var events: [WatchStationEventsResponse] = []
    var watchers: [Int: AsyncStream<Void>.Continuation] = [:]
    var nextWatcher = 0
    var epoch = 1
    var refusesAll = false
  }

  private let state = Mutex(State())
  /// Streams that began, and the cursors that they began with.
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

  /// Forgets everything, as a store restored from an old backup: its old cursors are foreign.
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
    // Last: whoever has seen it begin may change what the next one meets, and not this one.
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
