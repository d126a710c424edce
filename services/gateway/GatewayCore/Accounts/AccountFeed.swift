public import Logging
import ServiceKit
import Storage

/// Follows the gateway's own store, so that what one replica changes counts in all: a revoked key
/// is refused, and its streams end.
public struct AccountFeed: Sendable {
  /// How often streams are looked at whose credentials end by themselves, and the use of sessions
  /// is stored.
  private static let interval = Duration.seconds(5)
  private static let pauseMax = Duration.seconds(5)

  private let store: GatewayStore
  private let logger: Logger

  public init(_ store: GatewayStore, logger: Logger) {
    self.store = store
    self.logger = logger
  }

  /// Follows until the task is cancelled; begins again, with growing pauses, whatever fails. What
  /// is in memory counts meanwhile.
  public func run() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await follow() }
      group.addTask { await expire() }
    }
  }

  private func follow() async {
    let following = Following(
      name: "the accounts' feed", pauseMax: Self.pauseMax, logger: logger)
    await following.run { isServed in
      let start = try await store.database.feedEnd()
      // What was read before this may have changed unheard.
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
      // Time itself is meant: credentials end by it.
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
