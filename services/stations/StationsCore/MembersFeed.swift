public import Logging
import MembersV1
public import RPC
import ServiceKit
import Storage

/// Follows the members' feed: organizations for the scopes of staff, memberships for the visits
/// that wait for their member. The cursor is stored in the commit of the effects, so that an event
/// that comes twice counts once.
public struct MembersFeed: Sendable {
  /// Events of one commit.
  private static let eventsPerCommit = 256
  /// Visits that one commit matches.
  static let visitsPerCommit = 500
  private static let pauseFirst = Duration.milliseconds(200)
  private static let pauseMax = Duration.seconds(10)

  private let service: StationsService
  private let client: MembersServiceClient
  private let logger: Logger
  let consumer = EventConsumer("stations/members")

  /// - Parameters:
  ///   - service: Whose store is fed.
  ///   - channel: To yijia-members.
  public init(
    service: StationsService, channel: any RPC.Channel,
    logger: Logger = Logger(label: "yijia.stations.feed")
  ) {
    self.service = service
    client = MembersServiceClient(channel)
    self.logger = logger
  }

  private var database: any Database { service.database }
  private var clock: Clock { service.clock }

  /// Follows the feed until the task is cancelled; connects again, with growing pauses, whatever
  /// fails.
  public func run() async {
    var pause = Self.pauseFirst
    while !Task.isCancelled {
      do {
        try await matchLeftBehind()
        try await follow { pause = Self.pauseFirst }
        logger.info("the members' feed ended; connecting again")
      } catch is CancellationError {
        return
      } catch {
        if Task.isCancelled { return }
        await recover(from: error)
      }
      // The pause between attempts is time itself; ± 20 %, so that replicas don't come at once.
      try? await Task.sleep(for: pause * Double.random(in: 0.8...1.2))
      pause = min(pause * 2, Self.pauseMax)
    }
  }

  /// Takes the events that are there, and returns at the feed's newest.
  public func catchUp() async throws { try await take(stopAtEnd: true) {} }

  private func follow(_ progress: () -> Void) async throws {
    try await take(stopAtEnd: false, progress)
  }

  private func take(stopAtEnd: Bool, _ progress: () -> Void) async throws {
    var request = WatchMemberEventsRequest()
    request.cursor = try await database.read(consumer.cursor).text(orEmpty: .start)
    request.stopAtEnd = stopAtEnd
    let events = try await client.watchMemberEvents(request)
    let queue = BatchQueue<WatchMemberEventsResponse>(capacity: 2 * Self.eventsPerCommit)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        do {
          for try await event in events { try await queue.append(event) }
          queue.finish()
        } catch {
          queue.finish(throwing: error)
        }
      }
      while let batch = try await queue.takeAll(limit: Self.eventsPerCommit) {
        try await apply(batch)
        progress()
      }
    }
  }

  /// Stores the effects of events and the cursor of the last, in one commit. Where they match more
  /// visits than one commit may hold, the rest is matched in commits before it.
  func apply(_ events: [WatchMemberEventsResponse]) async throws {
    guard let last = events.last else { return }
    let cursor = try FeedCursor(text: last.cursor)
    let now = clock.now
    let effect = MemberEvents(events)
    while true {
      do {
        _ = try await database.write {
          try consumer.consume(through: cursor, at: now) { effect.step(at: now) }
        }
        if effect.hasOrganizations { service.hub.wake(.organizations) }
        return
      } catch is MemberEvents.TooManyVisits {
        _ = try await database.write { effect.matchSome(at: now) }
      }
    }
  }

  /// Matches visits whose code is known and that no event will match any more.
  func matchLeftBehind() async throws {
    let now = clock.now
    while try await database.write({ MemberEvents.matchLeftBehind(at: now) })
      == Self.visitsPerCommit
    {}
  }

  /// A cursor that the feed no longer knows (purged, or restored from a backup) is given up: the
  /// effects are idempotent, so the feed is read again from its beginning.
  private func recover(from error: any Error) async {
    logger.warning("the members' feed failed", metadata: ["cause": "\(error)"])
    let code = (error as? RPCError)?.code
    let isForeign =
      error as? StorageError == .foreignCursor || code == .invalidArgument || code == .outOfRange
    guard isForeign else { return }
    do {
      try await database.write(
        Commit(at: clock.now, statements: [consumer.reset(to: .start, at: clock.now)]))
    } catch {
      logger.warning("the cursor was not reset", metadata: ["cause": "\(error)"])
    }
  }
}

extension FeedCursor {
  /// Empty at the start, as contracts have it.
  fileprivate func text(orEmpty start: FeedCursor) -> String { self == start ? "" : text }
}
