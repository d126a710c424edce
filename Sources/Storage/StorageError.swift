/// What a store can refuse or fail with. Engines map their own errors to these cases.
///
/// `description` holds no SQL, no argument and no path, so it may be logged anywhere; `debugDetail`
/// is for the log of the service that owns the store.
public enum StorageError: Error, Sendable, Hashable {
  /// Too many calls wait already: try again later. Nothing was done.
  case busy
  /// No space. Nothing was stored; writes work again once there is room.
  case full(Detail)
  /// Reading or writing failed. After a failed commit or fsync the store acknowledges nothing more
  /// until it is opened again.
  case io(Detail)
  /// The store's server can't be reached now, or is changing its primary: try again later. Nothing
  /// was done.
  case unreachable(Detail)
  /// The connection was lost while the commit was on its way: it is stored or it isn't, whole.
  /// Calling again with the same request id finds out.
  case indeterminate(Detail)
  /// The stored bytes are damaged.
  case corrupt(Detail)
  /// A constraint of the schema refused the write.
  case constraint(Constraint)
  /// Guards failed in `Limits.attemptsPerWrite` attempts.
  case contention
  /// The store was written by a newer program: it has this migration, which the program lacks.
  case newerSchema(String)
  /// This migration was changed after it had been applied.
  case changedMigration(String)
  /// The store was not moved here to its end: it lacks rows. Move it again, into an empty one.
  case unfinishedMove
  /// Another process owns the store.
  case locked(Detail)
  /// The store was closed.
  case closed
  /// A query's row has no such column of the wanted kind.
  case column(String)
  /// The SQL is wrong, or its arguments don't fit.
  case statement(Detail)
  /// A bound of `Limits` was passed; says which.
  case limit(String)
  /// What was given to open the store is no address of one.
  case address(Detail)
  /// The request id was used before with another payload.
  case requestIDReused
  /// The page token is none of ours, or belongs to another list, filter or caller.
  case invalidPageToken
  /// The cursor is not of this feed, or the feed was restored from a backup: begin anew.
  case foreignCursor
  /// The feed's events after this cursor were purged: begin anew.
  case expiredCursor
  /// A sealed value doesn't open: altered, moved from its place, or sealed by another key.
  case sealBroken
  /// The key that a value was sealed with isn't in the keyring.
  case unknownKey(UInt32)
  /// A keyring can't be used; says why, never the secret.
  case keyring(String)

  /// What a constraint is about, as far as the engine tells.
  public struct Constraint: Sendable, Hashable, CustomStringConvertible {
    /// The kinds that both engines tell apart.
    public enum Kind: String, Sendable, Hashable {
      case unique
      case foreignKey = "foreign key"
      case notNull = "not null"
      case check
      case other
    }
    public let kind: Kind
    /// The table, where the engine names it.
    public let table: String?
    /// The columns, where the engine names them.
    public let columns: [String]

    public init(kind: Kind, table: String? = nil, columns: [String] = []) {
      self.kind = kind
      self.table = table
      self.columns = columns
    }

    public var description: String {
      guard let table else { return kind.rawValue }
      return "\(kind.rawValue) on \(table)(\(columns.joined(separator: ", ")))"
    }
  }

  /// The engine's own words: for debugging only, and never in a `description`.
  public struct Detail: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible {
    public let text: String
    public init(_ text: String) {
      self.text = text
    }
    public var description: String { "…" }
    public var debugDescription: String { "…" }
  }
}

extension StorageError: CustomStringConvertible, CustomDebugStringConvertible {
  public var description: String {
    switch self {
    case .busy: "the store is busy: too many calls wait"
    case .full: "the store has no space left"
    case .io: "the store failed to read or write"
    case .unreachable: "the store can't be reached"
    case .indeterminate: "the connection to the store was lost during a commit"
    case .corrupt: "the store is damaged"
    case .constraint(let constraint):
      "a constraint refused the write: \(constraint)"
    case .contention: "the write met others too often"
    case .newerSchema(let name): "the store is newer than this program: migration \(name)"
    case .changedMigration(let name): "migration \(name) differs from the one that was applied"
    case .unfinishedMove:
      "the store was not moved here to its end: move it again, into an empty one"
    case .locked: "another process owns the store"
    case .closed: "the store is closed"
    case .column(let name): "a row has no column \(name) of the wanted kind"
    case .statement: "a statement is wrong"
    case .limit(let name): "a limit was passed: \(name)"
    case .address: "not the address of a store"
    case .requestIDReused: "the request id was used with another payload"
    case .invalidPageToken: "the page token is invalid"
    case .foreignCursor: "the cursor is not of this feed"
    case .expiredCursor: "the feed no longer holds the events after this cursor"
    case .sealBroken: "a sealed value does not open"
    case .unknownKey(let id): "the keyring has no key \(id)"
    case .keyring(let reason): "the keyring can't be used: \(reason)"
    }
  }

  public var debugDescription: String { description }

  /// The engine's own words, which may hold SQL, paths and stored values; `nil` where none are.
  public var debugDetail: String? {
    switch self {
    case .full(let detail), .io(let detail), .corrupt(let detail), .locked(let detail),
      .statement(let detail), .address(let detail), .unreachable(let detail),
      .indeterminate(let detail):
      detail.text
    default: nil
    }
  }
}
