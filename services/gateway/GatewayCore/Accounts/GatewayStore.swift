import Foundation
public import Logging
import Protobuf
import RPC
public import ServiceKit
public import Storage

/// The keyrings of the gateway's store, one for each purpose.
public struct GatewayKeys: Sendable {
  let fields: LiveKeyring
  let hashes: LiveKeyring
  let pageTokens: LiveKeyring

  /// - Parameters:
  ///   - fields: Encrypts authenticators' secrets, and the replies in the request ledger, which
  ///     contain new keys.
  ///   - hashes: Keys the hashes under which guesses at secrets are counted.
  ///   - pageTokens: Encrypts page tokens.
  public init(fields: LiveKeyring, hashes: LiveKeyring, pageTokens: LiveKeyring) {
    self.fields = fields
    self.hashes = hashes
    self.pageTokens = pageTokens
  }

  /// Reads the keyrings from the gateway's files.
  /// - Throws: `StorageError.keyring`.
  public init(files: KeyringFiles) throws {
    self.init(
      fields: try LiveKeyring(contentsOf: files.fieldsFile),
      hashes: try LiveKeyring(contentsOf: files.hashesFile),
      pageTokens: try LiveKeyring(contentsOf: files.pageTokensFile))
  }
}

/// The gateway's database (accounts and credentials, no domain state) and what the handlers of its
/// own services share. Safe to use from any task.
public struct GatewayStore: Sendable {
  /// Events only notify running gateways of changes: one that starts reads the tables themselves.
  private static let feedRetentionDays = 2
  /// Days for which quota usage is kept: a month, so that it can be discussed.
  private static let usageRetentionDays: Int64 = 35

  /// The gateway's database.
  public let database: any Database
  /// The lag of the store's feed, which has no consumers outside of the gateway.
  public let feedLag: FeedLag
  let keys: GatewayKeys
  let directory: AccountDirectory
  /// Daily quotas of partners.
  let quotas: QuotaLeases
  let ledger: RequestLedger
  let cipher: FieldCipher
  /// Keys the hashes under which guesses are counted.
  let hasher: KeyedHash
  let passwords: PasswordHasher
  /// The hash that passwords of unknown user names are compared with.
  let decoy: PasswordHash
  let sources = SourceThrottle()
  /// Throttle of code requests, separate from that of sign-ins: abuse of one must not block the
  /// other.
  let codeSources = SourceThrottle()
  /// The text messages of an hour.
  let messages = MessageBudget()
  let errands = Errands()
  /// Re-encryption of secrets: it may take long, and must not delay the sending of codes.
  private let renewals = Errands(atOnceMax: 1)
  let pageTokens: PageTokenCodec
  let clock: Clock
  let ids: IDSource

  /// - Parameters:
  ///   - database: A database migrated with ``GatewayMigrations``.
  ///   - zone: Defines the days of quotas.
  ///   - ids: Source of identifiers and secrets; must be unpredictable outside of tests.
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

  /// Opens the store of a configuration; nil where it has none.
  ///
  /// - Parameter open: Opens the database at `url`, waits up to `patience` for its server, and
  ///   applies the migrations.
  /// - Throws: `StorageError`, `.keyring` if the keyrings are not those of the store.
  public init?(
    _ configuration: GatewayConfiguration,
    open: (_ url: String, _ patience: Swift.Duration, [Migration]) async throws -> any Database
  ) async throws {
    guard !configuration.database.isEmpty else { return nil }
    // Keys first: no database is created that could not be used.
    let keys = try GatewayKeys(files: configuration.keyrings)
    let database = try await open(
      configuration.database, Limits.openPatience, GatewayMigrations.all)
    self.init(
      database: database, keys: keys, zone: DayZone(configuration.dayOffset) ?? .china)
    do {
      try await database.markKeys(storeKeyrings)
    } catch {
      await database.close()
      throw error
    }
  }

  /// Runs the store's background work: follows changes by other replicas, applies retention, and
  /// ends the process when the database reports that it cannot be trusted any more. Runs until the
  /// task is cancelled, then closes the database.
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

  /// Runs a write once per request id: a replay with the same payload returns the first reply.
  /// Changes of `entities` take effect in this process before this returns, in other replicas by
  /// the feed.
  ///
  /// - Parameter payload: The request with its request id cleared.
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

  /// Reads the keyrings again, and then re-encrypts in the background what older keys encrypted.
  ///
  /// - Throws: `StorageError.keyring`; the keys before stay in use then.
  func takeUpKeys() throws {
    for (_, ring) in keyrings { try ring.reload() }
    renewals.add { _ = try await rotateKeys(in: database) { _, _, _ in } }
  }

  /// Reads one page of a list in order of identifiers.
  ///
  /// - Parameter rows: Returns at most `limit` rows after an identifier.
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

  /// No event carries state, so none has to be kept.
  public func currentVersions(of entities: [String]) -> Query<[String: Int64]> {
    .constant([:])
  }

  /// Re-encrypts authenticators' secrets. The replies in the request ledger expire by themselves.
  public func renewKeys(report: TaskReport) async throws -> [KeyNeed] {
    try await AuthenticatorRenewal(database: database, cipher: cipher, clock: clock)
      .run(report: report)
    return try await database.ledgerNeeds(besides: keys.fields.keyring.current.id)
  }

  /// Deletes expired sessions, guesses and codes, and old quota usage.
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

  /// The gateway keeps no counters.
  public func recount(report: TaskReport) async throws -> [String] { [] }
}
