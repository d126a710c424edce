public import Storage

/// Reports the progress of a long task. Throws when the caller has gone away, which ends the task.
public typealias TaskReport =
  @Sendable (_ unit: String, _ done: Int, _ total: Int) async throws -> Void

/// The maintenance hooks that a service implements for its own tables. ``Housekeeping`` calls them
/// on a schedule, ``OperationsService`` on demand.
public protocol ServiceUpkeep: Sendable {
  /// The keyrings in use, by name: `fields`, `hashes`, `page-tokens`.
  var keyrings: [(name: String, ring: LiveKeyring)] { get }

  /// How far the consumers of its feed are.
  var feedLag: FeedLag { get }

  /// Tables by month, beside the audit log.
  var monthlyTables: [MonthlyTable] { get }

  /// The versions of those of the entities that consumers of the feed keep a copy of. The last
  /// event of each stays in the feed until a later one replaces it, so that reading the feed from
  /// the beginning rebuilds any copy. Events of other entities are lost to a consumer that is still
  /// among the kept events when they expire.
  func currentVersions(of entities: [String]) -> Query<[String: Int64]>

  /// Seals and hashes anew what was done under older keys, in small commits; goes on where it was
  /// left, since what is done is passed over.
  ///
  /// - Returns: What still needs an older key.
  func renewKeys(report: TaskReport) async throws -> [KeyNeed]

  /// Carries out transitions that are due by date, such as escalating overdue cases.
  ///
  /// - Returns: How many things it was done to.
  func keepDeadlines() async throws -> Int

  /// Counts again what the counters say.
  ///
  /// - Returns: A line for each counter that is wrong.
  func recount(report: TaskReport) async throws -> [String]
}

extension ServiceUpkeep {
  /// Nothing is due in a service that says nothing else.
  public func keepDeadlines() async throws -> Int { 0 }

  /// The keyrings under which the store holds data. Page tokens are given out and not stored: the
  /// store needs none of their keys.
  public var storeKeyrings: [NamedKeyring] {
    keyrings.filter { $0.name != "page-tokens" }.map { NamedKeyring(name: $0.name, ring: $0.ring) }
  }

  /// Reloads the keyrings, renews what older keys sealed and hashed, and has the store forget the
  /// keys that nothing needs any more.
  ///
  /// - Returns: What still needs an older key.
  /// - Throws: `StorageError.keyring` if a file lacks a key that the store needs; then the keyrings
  ///   stay as they are.
  public func rotateKeys(
    in database: any Database, report: TaskReport
  ) async throws -> [KeyNeed] {
    try await database.markKeys(storeKeyrings)
    for (_, ring) in keyrings { try ring.reload() }
    let needs = try await renewKeys(report: report)
    try await database.forgetKeys(
      storeKeyrings,
      besides: Dictionary(grouping: needs, by: \.keyring).mapValues { $0.map(\.key) })
    return needs
  }
}

/// Rows that can't do without an older key.
public struct KeyNeed: Sendable, Hashable {
  /// Name of the keyring.
  public let keyring: String
  /// Number of the key.
  public let key: UInt32
  /// How many there are.
  public let rows: Int
  /// What they are, and when they go; English.
  public let reason: String

  /// Creates the need of that many rows for a key.
  public init(keyring: String, key: UInt32, rows: Int, reason: String) {
    self.keyring = keyring
    self.key = key
    self.rows = rows
    self.reason = reason
  }
}

extension Database {
  /// Remembered replies that older keys of the field keyring sealed.
  public func ledgerNeeds(besides current: UInt32) async throws -> [KeyNeed] {
    try await requestsByKey().filter { $0.key != current }.sorted { $0.key < $1.key }.map {
      KeyNeed(
        keyring: "fields", key: $0.key, rows: $0.value,
        reason: "remembered replies, which go 30 days after their call")
    }
  }
}
