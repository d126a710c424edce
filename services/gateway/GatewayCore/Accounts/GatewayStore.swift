import Foundation
public import Logging
import Protobuf
import RPC
public import ServiceKit
public import Storage

/// The keys that guard the gateway's store, one keyring for each purpose.
public struct GatewayKeys: Sendable {
  let fields: LiveKeyring
  let hashes: LiveKeyring
  let pageTokens: LiveKeyring

  /// - Parameters:
  ///   - fields: Seals authenticators' secrets, and the replies that the request ledger remembers,
  ///     new keys among them.
  ///   - hashes: Under which guesses at somebody's secret are counted.
  ///   - pageTokens: Seals page tokens.
  public init(fields: LiveKeyring, hashes: LiveKeyring, pageTokens: LiveKeyring) {
    self.fields = fields
    self.hashes = hashes
    self.pageTokens = pageTokens
  }

  /// The keys in the gateway's files.
  /// - Throws: `StorageError.keyring`.
  public init(files: KeyringFiles) throws {
    self.init(
      fields: try LiveKeyring(contentsOf: files.fieldsFile),
      hashes: try LiveKeyring(contentsOf: files.hashesFile),
      pageTokens: try LiveKeyring(contentsOf: files.pageTokensFile))
  }
}

/// What the gateway keeps: accounts and keys, no domain state. What the handlers of its own
/// services share. Safe to use from any task.
public struct GatewayStore: Sendable {
  /// Events wake gateways that run: one that starts reads the store itself.
  private static let feedRetentionDays = 2
  /// How long it is known what partners took of their quotas: a month, to be talked about.
  private static let usageRetentionDays: Int64 = 35

  public let database: any Database
  /// Nobody outside follows its feed.
  public let feedLag: FeedLag
  let keys: GatewayKeys
  let directory: AccountDirectory
  /// The calls of a day that partners may make.
  let quotas: QuotaLeases
  let ledger: RequestLedger
  let cipher: FieldCipher
  /// Under which guesses are counted.
  let hasher: KeyedHash
  let passwords: PasswordHasher
  /// What the password of nobody is looked at with.
  let decoy: PasswordHash
  let sources = SourceThrottle()
  /// Of those who ask for codes: what they do keeps nobody beside them from signing in.
  let codeSources = SourceThrottle()
  let errands = Errands()
  /// What is sealed anew: it may take long, and no code waits for it.
  private let renewals = Errands(atOnceMax: 1)
  let pageTokens: PageTokenCodec
  let clock: Clock
  let ids: IDSource

  /// - Parameters:
  ///   - database: Migrated with ``GatewayMigrations``.
  ///   - zone: Where the day of a quota begins.
  ///   - ids: Identifiers and keys: must be unpredictable outside of tests.
  public init(
    database: any Database, keys: GatewayKeys, zone: DayZone = .china, clock: Clock = .system,
    ids: IDSource = .system
  ) {
    self.init(
      database: database, keys: keys, passwords: PasswordHasher(), zone: zone, clock: clock,
      ids: ids)
  }

  init(
    database: any Database, keys: GatewayKeys, passwords: PasswordHasher,
    zone: DayZone = .china, clock: Clock, ids: IDSource = .system
  ) {
    self.database = database
    feedLag = FeedLag(database: database, clock: clock)
    self.keys = keys
    directory = AccountDirectory(database: database, clock: clock)
    quotas = QuotaLeases(database: database, zone: zone, clock: clock)
    cipher = FieldCipher(keys.fields)
    ledger = RequestLedger(cipher)
    hasher = KeyedHash(keys.hashes, purpose: "guess")
    self.passwords = passwords
    decoy = PasswordHash(decoyOf: passwords.cost, salt: ids.bytes(PasswordHash.saltBytes))
    pageTokens = PageTokenCodec(keys.pageTokens)
    self.clock = clock
    self.ids = ids
  }

  /// The store of a configuration; nil where it has none.
  ///
  /// - Parameter open: Opens the database with that address, waiting so long for its server, and
  ///   applies the migrations.
  /// - Throws: `StorageError`.
  public init?(
    _ configuration: GatewayConfiguration,
    open: (_ url: String, _ patience: Swift.Duration, [Migration]) async throws -> any Database
  ) async throws {
    guard !configuration.database.isEmpty else { return nil }
    // Keys first: a store is not made that could not be used.
    let keys = try GatewayKeys(files: configuration.keyrings)
    let database = try await open(
      configuration.database, Limits.openPatience, GatewayMigrations.all)
    self.init(
      database: database, keys: keys, zone: DayZone(configuration.dayOffset) ?? .china)
  }

  /// Keeps the store: follows what other replicas change, forgets what is kept for a time only,
  /// and ends the process when the database can't be trusted any more. Runs until its task is
  /// cancelled; then it closes the database.
  public func run(logger: Logger) async {
    async let _ = endProcess(whenFails: database, logger: logger)
    async let _ = AccountFeed(self, logger: logger).run()
    async let _ = quotas.run(logger: logger)
    async let _ = errands.run(logger: logger)
    async let _ = renewals.run(logger: logger)
    let housekeeping = Housekeeping(
      database: database, upkeep: self, feedRetentionDays: Self.feedRetentionDays)
    await housekeeping.run(logger: logger)
    await database.close()
  }

  /// Runs a write once for its request id: the same id and payload get the first reply again. What
  /// is decided of `entities` counts in this process when this returns; other replicas hear of it
  /// by the feed.
  ///
  /// - Parameter payload: The request with its id cleared.
  func once<Payload: Message, Reply: Message>(
    _ context: ServerContext, requestID: String, payload: Payload, at now: Date,
    changes entities: [String] = [], _ step: @escaping @Sendable () throws -> Step<Reply>
  ) async throws -> Reply {
    let bytes = try payload.wireBytes()
    let key = RequestKey(
      caller: try context.caller.subject, method: context.method.path, requestID: requestID)
    let ledger = ledger
    let reply = try await database.write {
      ledger.once(
        key, payload: bytes, at: now, encode: { try $0.wireBytes() },
        decode: { try Reply(wireBytes: $0) }, step)
    }
    for entity in entities { directory.forget(entity) }
    return reply
  }

  /// Reads the keyrings anew, and afterwards seals anew what older keys did.
  ///
  /// - Throws: `StorageError.keyring`; then the keys before stay.
  func takeUpKeys() throws {
    for (_, ring) in keyrings { try ring.reload() }
    renewals.add { _ = try await renewKeys { _, _, _ in } }
  }

  /// One page of a list in order of identifiers.
  ///
  /// - Parameter rows: Those after an identifier, at most so many.
  func page<Row: Sendable>(
    _ context: ServerContext, size: Int, token: String, of list: [String] = [],
    id: (Row) -> String,
    _ rows: (_ after: String, _ limit: Int) -> Query<[Row]>
  ) async throws -> (rows: [Row], next: String) {
    let scope = [context.method.path, try context.caller.subject] + list
    var after = ""
    if let place = try pageTokens.decode(token, scope: scope) {
      guard place.count == 1, case .text(let last) = place[0] else {
        throw CommonFailure.invalidPageToken
      }
      after = last
    }
    let found = try await database.read(rows(after, size + 1))
    guard found.count > size else { return (found, "") }
    let shown = Array(found.prefix(size))
    return (shown, try pageTokens.encode([id(shown[size - 1])], scope: scope))
  }
}

extension GatewayStore: ServiceUpkeep {
  public var keyrings: [(name: String, ring: LiveKeyring)] {
    [("fields", keys.fields), ("hashes", keys.hashes), ("page-tokens", keys.pageTokens)]
  }

  public var monthlyTables: [MonthlyTable] { [] }

  /// No event is a copy of anything: none stays.
  public func currentVersions(of entities: [String]) -> Query<[String: Int64]> {
    Query("SELECT id FROM partner LIMIT 0", []) { _ in [:] }
  }

  /// Seals authenticators' secrets anew; the replies that the ledger remembers go by themselves.
  public func renewKeys(report: TaskReport) async throws -> [KeyNeed] {
    try await AuthenticatorRenewal(database: database, cipher: cipher, clock: clock)
      .run(report: report)
    return try await database.ledgerNeeds(besides: keys.fields.keyring.current.id)
  }

  /// Forgets sessions and guesses that count no more, and what was used long ago.
  public func keepDeadlines() async throws -> Int {
    let now = clock.now
    var commit = GuessStore.forgetOld(at: now)
    SessionStore.forgetOld(before: now.microseconds, in: &commit)
    MemberCodeStore.forgetOld(at: now.microseconds, in: &commit)
    let today = quotas.zone.day(at: now.microseconds)
    commit.run(QuotaStore.purge(before: today - Self.usageRetentionDays))
    try await database.write(commit)
    return 0
  }

  /// It keeps no counters.
  public func recount(report: TaskReport) async throws -> [String] { [] }
}
