public import Logging
import MembersV1
public import RPC
import ServiceKit
import Storage

/// Consumes the members' feed: organizations for staff scopes, memberships for the matching of
/// visits. The cursor is stored in the same commit as the effects, so that a redelivered event
/// takes effect once.
public struct MembersFeed: Sendable {
  /// Events per commit.
  private static let eventsPerCommit = 256
  /// Visits matched per commit.
  static let visitsPerCommit = 500
  private static let pauseMax = Duration.seconds(10)

  private let service: StationsService
  private let client: MembersServiceClient
  private let logger: Logger
  let consumer = EventConsumer("stations/members")

  /// - Parameters:
  ///   - service: The service whose store is updated.
  ///   - channel: A channel to yijia-members.
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

  /// Follows the feed until the task is cancelled; reconnects with exponential backoff.
  public func run() async {
    let loop = FeedLoop(
      name: "the members' feed", pauseMax: Self.pauseMax, logger: logger)
    await loop.run { isServed in
      try await matchLeftBehind()
      try await forgetLeftBehind()
      try await take(stopAtEnd: false, isServed)
    } goesOn: { error in
      await recover(from: error)
      return true
    }
  }

  /// Consumes the stored events and returns at the end of the feed.
  public func catchUp() async throws { try await take(stopAtEnd: true) {} }

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

  /// Applies a batch of events and stores its cursor, in one commit. If the events match more
  /// visits than one commit may, the excess is matched in separate commits first.
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
        return try await forget(effect.erased)
      } catch is MemberEvents.TooManyVisits {
        _ = try await database.write { effect.matchSome(at: now) }
      }
    }
  }

  /// Matches visits whose code is known but that no further event will match.
  func matchLeftBehind() async throws {
    let now = clock.now
    while try await database.write({ MemberEvents.matchLeftBehind(at: now) })
      == Self.visitsPerCommit
    {}
  }

  /// Forgets erased members, in as many commits as it takes. After a crash in between,
  /// ``forgetLeftBehind()`` finishes the work by the stored tombstones.
  func forget(
    _ members: [ErasedMember], daysPerCommit limit: Int = ErasedMemberStore.daysPerCommit
  ) async throws {
    guard !members.isEmpty else { return }
    let now = clock.now
    while try await database.write({ ErasedMemberStore.forget(members, limit: limit, at: now) })
      == limit
    {}
  }

  /// Forgets what was stored of erased members during or after their erasure.
  func forgetLeftBehind() async throws {
    var after = ""
    while true {
      let last = after
      let members = try await database.read(ErasedMemberStore.page(after: last))
      try await forget(members)
      guard let next = members.last else { return }
      after = next.id
    }
  }

  /// Resets a cursor that the feed does not know (purged, or restored from a backup): the effects
  /// are idempotent, so the feed is read again from its beginning.
  private func recover(from error: (any Error)?) async {
    let isUnknown =
      error as? StorageError == .foreignCursor || (error as? RPCError)?.isUnknownCursor == true
    guard isUnknown else { return }
    do {
      try await database.write(
        Commit(at: clock.now, statements: [consumer.reset(to: .start, at: clock.now)]))
    } catch {
      logger.warning("the cursor was not reset", metadata: ["cause": "\(error)"])
    }
  }
}

extension FeedCursor {
  /// The cursor's text; empty at the start, as the contract wants it.
  fileprivate func text(orEmpty start: FeedCursor) -> String { self == start ? "" : text }
}
