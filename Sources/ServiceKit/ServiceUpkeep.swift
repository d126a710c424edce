public import Storage

/// Tells how far long work is; throws when nobody listens any more, which ends the work.
public typealias TaskReport =
  @Sendable (_ unit: String, _ done: Int, _ total: Int) async throws -> Void

/// What a service knows of its own store beyond what every store has: for housekeeping and for the
/// tasks of operators.
public protocol ServiceUpkeep: Sendable {
  /// The keyrings in use, by name: `fields`, `hashes`, `page-tokens`.
  var keyrings: [(name: String, ring: LiveKeyring)] { get }

  /// How far the consumers of its feed are.
  var feedLag: FeedLag { get }

  /// Tables by month, beside the audit log.
  var monthlyTables: [MonthlyTable] { get }

  /// The versions of those of the entities that consumers of the feed keep a copy of. The last
  /// event of each stays in the feed for ever, so that reading it from the beginning rebuilds any
  /// copy.
  func currentVersions(of entities: [String]) -> Query<[String: Int64]>

  /// Seals and hashes anew what was done under older keys, in small commits; goes on where it was
  /// left, since what is done is passed over.
  ///
  /// - Returns: What still needs an older key.
  func renewKeys(report: TaskReport) async throws -> [KeyNeed]

  /// Does what the passing of days does, such as moving what is overdue one level up.
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
