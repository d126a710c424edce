import Foundation
public import Logging
import Protobuf
public import RPC
public import ServiceKit
public import StationsV1
public import Storage

/// The service's keyrings, one for each purpose. It has no look-ups by keyed hash.
public struct StationsKeys: Sendable {
  let fields: LiveKeyring
  let pageTokens: LiveKeyring

  /// - Parameters:
  ///   - fields: Encrypts the replies in the request ledger, which contain kiosks' keys.
  ///   - pageTokens: Encrypts page tokens.
  public init(fields: LiveKeyring, pageTokens: LiveKeyring) {
    self.fields = fields
    self.pageTokens = pageTokens
  }

  /// Reads the keyrings from a service's files.
  ///
  /// - Throws: `StorageError.keyring`.
  public init(files: KeyringFiles) throws {
    self.init(
      fields: try LiveKeyring(contentsOf: files.fieldsFile),
      pageTokens: try LiveKeyring(contentsOf: files.pageTokensFile))
  }
}

/// `yijia.stations.v1.StationsService`: the state that its handlers share. One file per RPC.
///
/// Safe to use from any task.
public struct StationsService: StationsServiceProtocol {
  /// Name in policies, tokens and the error domain.
  public static let name = "stations"

  let database: any Database
  /// The lag of the feed's consumers.
  public let feedLag: FeedLag
  let keys: StationsKeys
  let ledger: RequestLedger
  let pageTokens: PageTokenCodec
  let members: MemberResolver
  /// How long to wait for an unknown managing union: one that was just founded may still be in
  /// transit on the members' feed.
  var organizationWaitMax: Duration = .seconds(2)
  let rules: VisitRules
  /// Full months of visits to keep; nil for all.
  let visitMonthsKept: Int?
  let clock: Clock
  let ids: IDSource
  let hub: CommitHub
  let logger: Logger

  /// - Parameters:
  ///   - database: A database migrated with ``StationsMigrations``.
  ///   - keys: The keyrings that encrypt.
  ///   - membersChannel: A channel to yijia-members, which resolves member codes.
  ///   - configuration: A valid configuration.
  ///   - ids: Source of identifiers and kiosks' keys; must be unpredictable outside of tests.
  public init(
    database: any Database, keys: StationsKeys, membersChannel: any Channel,
    configuration: StationsConfiguration = StationsConfiguration(), clock: Clock = .system,
    ids: IDSource = .system, logger: Logger = Logger(label: "yijia.stations")
  ) {
    self.database = database
    feedLag = FeedLag(database: database, clock: clock)
    self.keys = keys
    visitMonthsKept = configuration.visits.monthsKept
    ledger = RequestLedger(FieldCipher(keys.fields))
    pageTokens = PageTokenCodec(keys.pageTokens)
    members = MemberResolver(
      channel: membersChannel,
      timeout: .milliseconds(configuration.resolveTimeoutMilliseconds), logger: logger)
    rules = configuration.visits.rules
    self.clock = clock
    self.ids = ids
    hub = CommitHub()
    self.logger = logger
  }

  /// Runs a write once per request id: a replay with the same payload returns the first reply.
  ///
  /// - Parameter payload: The request with its request id cleared.
  func once<Payload: Message, Reply: Message>(
    _ context: ServerContext, caller: Caller, requestID: String, payload: Payload, now: Date,
    _ step: @escaping @Sendable () throws -> Step<Reply>
  ) async throws -> Reply {
    let bytes = try payload.wireBytes()
    let key = RequestKey(
      caller: caller.subject, method: context.method.path, requestID: requestID)
    let ledger = ledger
    return try await database.write {
      ledger.once(
        key, payload: bytes, at: now, encode: { try $0.wireBytes() },
        decode: { try Reply(wireBytes: $0) }, step)
    }
  }
}
