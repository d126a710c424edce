public import Logging
import ServiceKit
import Storage

/// Follows the feed of the gateway's own store, so that a change by one replica takes effect in
/// all: a revoked key is refused, and its streams end.
public struct AccountFeed: Sendable {
  /// Interval at which expired credentials' streams are ended and the use of sessions is stored.
  private static let interval = Duration.seconds(5)
  private static let pauseMax = Duration.seconds(5)

  private let store: GatewayStore
  private let logger: Logger

  public init(_ store: GatewayStore, logger: Logger) {
    self.store = store
    self.logger = logger
  }

  /// Follows the feed until the task is cancelled; restarts with exponential backoff. Cached
  /// entries stay valid meanwhile.
  public func run() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await follow() }
      group.addTask { await expire() }
    }
  }

  private func follow() async {
    let loop = FeedLoop(
      name: "the accounts' feed", pauseMax: Self.pauseMax, logger: logger)
    await loop.run { isServed in
      let start = try await store.database.feedEnd()
      // Entries read before this position may be outdated without an event to come.
      store.directory.forgetAll()
      try await store.directory.settle()
      isServed()
      for try await event in store.database.follow(after: start) {
        store.directory.forget(event.entity)
        try await store.directory.settle()
      }
    } goesOn: { error in
      if case StorageError.closed? = error { false } else { true }
    }
  }

  private func expire() async {
    while !Task.isCancelled {
      // A real sleep, as credentials expire by real time.
      try? await Task.sleep(for: Self.interval)
      do {
        let used = store.directory.takeUsed()
        if !used.isEmpty {
          var commit = Commit(at: store.clock.now)
          SessionStore.used(used, in: &commit)
          try await store.database.write(commit)
        }
        try await store.directory.settle()
      } catch StorageError.closed {
        return
      } catch {
        if Task.isCancelled { return }
        logger.warning("credentials could not be looked at", metadata: ["cause": "\(error)"])
      }
    }
  }
}
