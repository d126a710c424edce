public import MembersV1
public import ServiceKit
public import Storage

/// The registry of union organizations and their members: `yijia.members.v1.MembersService`.
///
/// This file holds the dependencies only; each RPC is an extension in a file of its name.
/// Stateless: safe to call from any thread.
public struct MembersService: MembersServiceProtocol {
  let database: any Database
  /// The lag of the change feed's readers.
  public let feedLag: FeedLag
  let keys: MembersKeys
  let clock: Clock
  let ids: IDSource
  let configuration: MembersConfiguration

  /// - Parameters:
  ///   - database: The members store, migrated with ``MembersMigrations``.
  ///   - keys: The ciphers, hashes and codecs.
  ///   - ids: The source of identifiers.
  public init(
    database: any Database, keys: MembersKeys, clock: Clock = .system, ids: IDSource = .system,
    configuration: MembersConfiguration = MembersConfiguration()
  ) {
    self.database = database
    feedLag = FeedLag(database: database, clock: clock)
    self.keys = keys
    self.clock = clock
    self.ids = ids
    self.configuration = configuration
  }
}
