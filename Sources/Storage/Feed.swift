public import Foundation

/// A position in one feed: all events up to and including it were consumed.
///
/// The epoch identifies the feed's history. A store restored from a backup gets a new epoch, so
/// that consumers detect positions that were assigned twice.
///
/// A consumer that begins at the start, after events were purged, first receives the events that
/// the purge kept. Their cursors say so (`isCatchingUp`): they don't expire, however long it takes,
/// since of each entity of which events are kept, the last one is before or after them. Events of
/// other entities may be purged meanwhile, and the consumer never receives them, just as those that
/// had been purged before it began: it is as if it had begun later. From the cursor of the last
/// kept event on, which stands for all that was purged, there is no gap: it expires as any other.
public struct FeedCursor: Sendable, Hashable {
  /// The epoch of the feed; 0 for the beginning, of any epoch.
  public let epoch: Int64
  /// The position of the last consumed event.
  public let position: Int64
  /// Whether the consumer began at the start and is among the events that a purge kept.
  public let isCatchingUp: Bool

  /// Creates the cursor behind the event at that position.
  public init(epoch: Int64, position: Int64, isCatchingUp: Bool = false) {
    self.epoch = epoch
    self.position = position
    self.isCatchingUp = isCatchingUp
  }

  /// Before the first event.
  public static let start = FeedCursor(epoch: 0, position: 0)

  /// The cursor as text for API contracts: `epoch.position`, in hexadecimal and decimal, and
  /// `.kept` if it is catching up.
  public var text: String {
    "\(String(epoch, radix: 16)).\(position)\(isCatchingUp ? ".kept" : "")"
  }

  /// Parses `text`; the empty string is the start.
  ///
  /// - Throws: `StorageError.foreignCursor` if the text is malformed.
  public init(text: String) throws(StorageError) {
    if text.isEmpty {
      self = .start
      return
    }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2 || (parts.count == 3 && parts[2] == "kept"),
      let epoch = Int64(parts[0], radix: 16), epoch >= 0,
      let position = Int64(parts[1]), position >= 0
    else { throw .foreignCursor }
    self.init(epoch: epoch, position: position, isCatchingUp: parts.count == 3)
  }
}

/// An event with its position in the feed.
public struct FeedEvent: Sendable, Hashable {
  /// The cursor after this event.
  public let cursor: FeedCursor
  /// The resource name of the changed entity.
  public let entity: String
  /// The entity's version after the change.
  public let version: Int64
  /// The kind of the event, e.g. `member.admitted`.
  public let kind: String
  /// The serialized event message.
  public let payload: [UInt8]
  /// The reader allowed to see the event besides the suite's own services.
  public let audience: String?
  /// The instant of the decision.
  public let time: Date

  /// Creates an event as it was read from the feed.
  public init(
    cursor: FeedCursor, entity: String, version: Int64, kind: String, payload: [UInt8],
    audience: String?, time: Date
  ) {
    self.cursor = cursor
    self.entity = entity
    self.version = version
    self.kind = kind
    self.payload = payload
    self.audience = audience
    self.time = time
  }
}

extension Database {
  /// Returns the events after a cursor in feed order: the versions of one entity are in ascending
  /// order.
  ///
  /// - Parameters:
  ///   - limit: The maximum number of events, capped at `Limits.eventsPerRead`.
  ///   - audience: Restricts the result to events visible to this audience; `nil` for all events.
  /// - Throws: `StorageError.foreignCursor`, `.expiredCursor`.
  public func feed(
    after cursor: FeedCursor, limit: Int = Limits.eventsPerRead, audience: String? = nil
  ) async throws -> [FeedEvent] {
    let limit = max(0, min(limit, Limits.eventsPerRead))
    // One more than asked for, which shows whether the last one is the last that was kept.
    let (state, events) = try await read(
      FeedSQL.state(for: audience),
      FeedSQL.page(after: cursor.position, limit: limit + 1, audience: audience))
    try state.check(cursor)
    return events.indices.prefix(limit).map { index in
      events[index].event(in: state, before: events.dropFirst(index + 1).first)
    }
  }

  /// Returns the position of the last event, for consumers that want new events only.
  public func feedEnd() async throws -> FeedCursor {
    let state = try await read(FeedSQL.state(for: nil))
    return FeedCursor(epoch: state.epoch, position: max(state.last, state.floor))
  }

  /// Returns the events after a cursor, then each new one as it is committed. Ends when the store
  /// closes or the task is canceled.
  public func follow(after cursor: FeedCursor, audience: String? = nil) -> FeedFollower {
    FeedFollower(database: self, cursor: cursor, audience: audience)
  }

  /// Deletes the events before an instant; cursors before them expire, those of an audience before
  /// the events of its own. The event that holds the current state of an entity is kept, so that a
  /// consumer that starts over reaches the same state as one that never lagged. Once an event of an
  /// entity was kept, the last one before the instant always is.
  ///
  /// - Parameter currentVersions: Returns the current versions of those of the given entities whose
  ///   last event is kept.
  /// - Returns: The number of deleted events.
  public func purgeFeed(
    before instant: Date,
    keepingLast currentVersions: @escaping @Sendable ([String]) -> Query<[String: Int64]> = { _ in
      .constant([:])
    }
  ) async throws -> Int {
    var purged = 0
    while true {
      let (seen, count) = try await write {
        FeedPurge.step(before: instant, limit: Limits.rowsPerPurge, currentVersions)
      }
      purged += count
      if seen < Limits.rowsPerPurge { return purged }
    }
  }
}

/// An unbounded sequence of feed events: see `Database.follow`.
public struct FeedFollower: AsyncSequence, Sendable {
  /// An event of the feed.
  public typealias Element = FeedEvent
  let database: any Database
  let cursor: FeedCursor
  let audience: String?

  /// Returns an iterator that begins behind the cursor of the sequence.
  public func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(follower: self, wakes: database.feedChanges().makeAsyncIterator())
  }

  /// Reads page after page, and waits for commits in between. For one task at a time.
  public struct AsyncIterator: AsyncIteratorProtocol {
    private let follower: FeedFollower
    private var wakes: AsyncStream<Void>.AsyncIterator
    private var cursor: FeedCursor
    private var events: [FeedEvent] = []
    private var index = 0

    init(follower: FeedFollower, wakes: AsyncStream<Void>.AsyncIterator) {
      self.follower = follower
      self.wakes = wakes
      cursor = follower.cursor
    }

    /// Waits for the next event; nil if the task is cancelled meanwhile.
    /// - Throws: `StorageError`, also that with which the store has failed.
    public mutating func next() async throws -> FeedEvent? {
      while index == events.count {
        // A full page may be followed by more; after a short one, more only comes with a commit.
        if events.count < Limits.eventsPerRead {
          guard await wakes.next() != nil else { return try await end() }
        }
        events = try await follower.database.feed(after: cursor, audience: follower.audience)
        index = 0
      }
      defer { index += 1 }
      cursor = events[index].cursor
      return events[index]
    }

    /// Handles the end of the wake-ups: returns `nil` after a requested end, throws the store's
    /// failure otherwise.
    private func end() async throws -> FeedEvent? {
      if Task.isCancelled { return nil }
      do {
        _ = try await follower.database.feedEnd()
        return nil
      } catch StorageError.closed {
        return nil
      }
    }
  }
}
