#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#endif

/// The errors of a store. Engines map their own errors to these cases.
///
/// `description` contains no SQL, arguments or paths, so it may be logged anywhere; `debugDetail`
/// is for the log of the service that owns the store.
public enum StorageError: Error, Sendable, Hashable {
  /// Too many calls are queued: try again later. Nothing was done.
  case busy
  /// No disk space is left. Nothing was stored; writes succeed again once there is space.
  case full(Detail)
  /// An I/O operation failed. After a failed commit or fsync the store acknowledges nothing more
  /// until it is opened again.
  case io(Detail)
  /// The database server is unreachable or failing over: try again later. Nothing was done.
  case unreachable(Detail)
  /// The database server does not let this user do what the store needs.
  case forbidden(Detail)
  /// The connection was lost during the commit: it was stored completely or not at all. A retry
  /// with the same request id determines which.
  case indeterminate(Detail)
  /// The stored data are corrupt.
  case corrupt(Detail)
  /// The write violates a constraint of the schema.
  case constraint(Constraint)
  /// Guards failed in all `Limits.attemptsPerWrite` attempts.
  case contention
  /// The store has this migration, which the program lacks: a newer program wrote it.
  case newerSchema(String)
  /// The store lacks this migration, and this opening may not change it: an older program wrote it,
  /// and may still run on it.
  case olderSchema(String)
  /// The migration of this name was changed after it had been applied.
  case changedMigration(String)
  /// A move into this store did not finish, so rows are missing. Repeat the move with an empty
  /// store.
  case unfinishedMove
  /// Another process owns the store.
  case locked(Detail)
  /// The store is closed.
  case closed
  /// A row has no column of this name and the requested type.
  case column(String)
  /// The SQL is invalid, or its arguments don't match.
  case statement(Detail)
  /// The named limit was exceeded.
  case limit(String)
  /// The given address is not the address of a store.
  case address(Detail)
  /// The request id was used before with another payload.
  case requestIDReused
  /// The page token was not issued here, or belongs to another list, filter or caller.
  case invalidPageToken
  /// The cursor belongs to another feed, or the feed was restored from a backup: start over.
  case foreignCursor
  /// The feed's events after this cursor were purged: start over.
  case expiredCursor
  /// A sealed value can't be opened: it was altered, moved, or sealed under another key.
  case sealBroken
  /// The keyring lacks the key of a sealed value.
  case unknownKey(UInt32)
  /// The store needs newer keys than the process uses: another replica has taken up a newer
  /// keyring. Nothing was stored.
  case outdatedKey
  /// A keyring can't be used. Holds the reason, never a secret.
  case keyring(String)

  /// The violated constraint, as far as the engine reports it.
  public struct Constraint: Sendable, Hashable, CustomStringConvertible {
    /// The kinds of constraints that both engines distinguish.
    public enum Kind: String, Sendable, Hashable {
      /// UNIQUE or PRIMARY KEY.
      case unique
      /// A row that is referred to is missing, or is still referred to.
      case foreignKey = "foreign key"
      /// NOT NULL.
      case notNull = "not null"
      /// CHECK.
      case check
      /// Any other kind, such as a value of another type than its column's.
      case other
    }
    /// The kind of the constraint.
    public let kind: Kind
    /// The table; `nil` if the engine does not report it.
    public let table: String?
    /// The columns; empty if the engine does not report them.
    public let columns: [String]

    /// Creates a violated constraint, as far as it is known.
    public init(kind: Kind, table: String? = nil, columns: [String] = []) {
      self.kind = kind
      self.table = table
      self.columns = columns
    }

    /// The kind and, where they are known, the table and its columns.
    public var description: String {
      guard let table else { return kind.rawValue }
      return "\(kind.rawValue) on \(table)(\(columns.joined(separator: ", ")))"
    }
  }

  /// The engine's own message: for debugging only, never part of a `description`.
  public struct Detail: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible {
    /// The message.
    public let text: String
    /// - Parameter text: The message, which may contain data of the statement.
    public init(_ text: String) {
      self.text = text
    }
    /// - Parameters:
    ///   - place: The file, or what was done to it.
    ///   - code: The `errno` of the failed call.
    package init(_ place: String, errno code: Int32) {
      text = "\(place): \(String(cString: strerror(code)))"
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
    case .forbidden: "the database refuses this user what the store needs"
    case .indeterminate: "the connection to the store was lost during a commit"
    case .corrupt: "the store is damaged"
    case .constraint(let constraint):
      "a constraint refused the write: \(constraint)"
    case .contention: "the write met others too often"
    case .newerSchema(let name): "the store is newer than this program: migration \(name)"
    case .olderSchema(let name): "the store is older than this program: it lacks migration \(name)"
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
    case .outdatedKey: "the store needs newer keys than those in use"
    case .keyring(let reason): "the keyring can't be used: \(reason)"
    }
  }

  public var debugDescription: String { description }

  /// The engine's own message, which may contain SQL, paths and stored values; `nil` for errors
  /// without one.
  public var debugDetail: String? {
    switch self {
    case .full(let detail), .io(let detail), .corrupt(let detail), .locked(let detail),
      .statement(let detail), .address(let detail), .unreachable(let detail),
      .indeterminate(let detail), .forbidden(let detail):
      detail.text
    default: nil
    }
  }

  /// What an operator can do about it; `nil` where the description says it, or nothing helps.
  public var remedy: String? {
    switch self {
    case .locked: "stop that process first; one process at a time owns a SQLite store"
    case .io: "check that its folder exists, and that this user may write there"
    case .full: "make room on its disk"
    case .unreachable: "check that the server runs and takes writes, and the store's address"
    case .forbidden:
      "make this user the owner of the store's schema, or grant it USAGE and CREATE there and all "
        + "rights on its tables"
    case .newerSchema: "start the version that wrote it, or a later one"
    case .olderSchema:
      "use the version that runs on it; or start the new services first (a service's --migrate)"
    case .corrupt: "restore a backup (yijia backup restore)"
    default: nil
    }
  }
}
