public import MembersV1
public import ServiceKit
public import Storage

/// The registry of union organizations and their members: `yijia.members.v1.MembersService`.
///
/// Each RPC is an extension in a file of its name; this is the wiring only. A value without state
/// of its own: safe to use from any task.
public struct MembersService: MembersServiceProtocol {
  let database: any Database
  public let feedLag: FeedLag
  let keys: MembersKeys
  let clock: Clock
  let ids: IDSource
  let configuration: MembersConfiguration

  /// - Parameters:
  ///   - database: The members store, migrated with ``MembersMigrations``.
  ///   - keys: What seals, hashes and signs.
  ///   - ids: Where identifiers come from.
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
