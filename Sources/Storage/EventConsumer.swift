public import Foundation

/// A consumer of a feed (of its own or another service) that stores its cursor in the same commit
/// as the effect, so that an event delivered twice takes effect once.
///
///     for try await event in feed {   // from `consumer.cursor`, over RPC or `Database.follow`
///       try await database.write {
///         try consumer.consume(through: event.cursor, at: now) { … the effect as a Step … }
///       }
///     }
public struct EventConsumer: Sendable {
  /// The name of the consumer and its feed in this store, e.g. `stations/members`.
  public let name: String

  /// Creates a consumer with the given name.
  public init(_ name: String) {
    self.name = name
  }

  /// The query of the stored cursor; initially `FeedCursor.start`.
  public var cursor: Query<FeedCursor> {
    Query(
      "SELECT epoch, position, catching_up FROM storage_consumer WHERE consumer = ?1", [name]
    ) { rows in
      guard let row = rows.first else { return .start }
      return FeedCursor(
        epoch: try row.integer("epoch"), position: try row.integer("position"),
        isCatchingUp: try row.integer("catching_up") != 0)
    }
  }

  /// Returns the write that applies the effect of one event, or of a batch whose last cursor is
  /// `cursor`.
  ///
  /// - Returns: A write that replies `nil` and stores nothing if the cursor was consumed before.
  /// - Throws: `StorageError.foreignCursor` if the feed's epoch differs from the stored one: decide
  ///   what that means for the stored effects, then call `reset`.
  public func consume<Reply: Sendable>(
    through cursor: FeedCursor, at time: Date,
    _ step: @escaping @Sendable () throws -> Step<Reply>
  ) throws -> Step<Reply?> {
    let consumer = self
    return .read(self.cursor) { consumed in
      guard consumed == .start || consumed.epoch == cursor.epoch else {
        throw StorageError.foreignCursor
      }
      guard cursor.position > consumed.position else { return .reply(nil) }
      return try step().finish { commit, reply in
        var commit = commit ?? Commit(at: time)
        commit.run(consumer.advance(from: consumed, to: cursor, at: time))
        return .commit(commit, reply)
      }
    }
  }

  /// Returns the statement that sets the cursor unconditionally, e.g. to the end of a feed after a
  /// full resynchronization.
  public func reset(to cursor: FeedCursor, at time: Date) -> Statement {
    Statement(Self.store, arguments(cursor, time), expects: .exactly(1))
  }

  /// Returns the guarded statement that advances the cursor: it touches no row if another consumer
  /// of this name advanced the cursor meanwhile.
  private func advance(
    from old: FeedCursor, to new: FeedCursor, at time: Date
  ) -> Statement {
    Statement(
      """
      \(Self.store)
      WHERE storage_consumer.epoch = ?6 AND storage_consumer.position = ?7
      """, arguments(new, time) + [old.epoch, old.position], expects: .exactly(1))
  }

  private static let store = """
    INSERT INTO storage_consumer (consumer, epoch, position, time, catching_up)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (consumer) DO UPDATE SET epoch = excluded.epoch, position = excluded.position,
      time = excluded.time, catching_up = excluded.catching_up
    """

  private func arguments(_ cursor: FeedCursor, _ time: Date) -> [any SQLValueConvertible] {
    [name, cursor.epoch, cursor.position, time, Int64(cursor.isCatchingUp ? 1 : 0)]
  }
}
