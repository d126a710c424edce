import Protobuf
import RPC
import ServiceKit
import Storage

/// An account, as stored.
protocol StoredAccount: Sendable, Equatable {
  var name: String { get }
  /// Incremented by every change, from 1 on.
  var version: Int64 { get set }
  /// Microseconds since 1970.
  var updatedAt: Int64 { get set }
}

/// The SQL of accounts of one kind.
protocol AccountStore: SendableMetatype {
  associatedtype Account: StoredAccount

  /// The collection of their resource names.
  static var collection: String { get }
  static var notFound: AccountFailure { get }

  static func byID(_ id: String) -> Query<Account?>
  static func update(_ account: Account, at now: Int64, in commit: inout Commit)
}

/// The parameters of a change of one account.
struct AccountChange<Store: AccountStore>: Sendable {
  let requestID: String
  let name: String
  /// The field of the request that has the name.
  var field = "name"
  let action: String
  var reason = ""
}

extension AccountsService {
  /// Changes one account. Does nothing where nothing would change.
  func change<Store: AccountStore, Payload: Message, Reply: Message>(
    _ change: AccountChange<Store>, _ payload: Payload, _ checks: FieldChecks,
    _ context: ServerContext,
    _ apply: @escaping @Sendable (inout Store.Account, inout Commit) throws -> Void,
    reply: @escaping @Sendable (Store.Account) -> Reply
  ) async throws -> Reply {
    let caller = try administrator(context)
    let now = store.clock.now
    var checks = checks
    let key = checks.requestID(change.requestID)
    let given = checks.resource(change.name, of: Store.collection, change.field)
    let (requestID, id) = try checks.finish(key, given)
    return try await store.once(
      context, requestID: requestID, payload: payload, at: now,
      changes: ["\(Store.collection)/\(id)"]
    ) {
      .read(Store.byID(id)) { account in
        guard let account else { throw Store.notFound }
        var (after, commit) = (account, Commit(at: now))
        try apply(&after, &commit)
        if after == account { return .reply(reply(account)) }
        Store.update(after, at: now.microseconds, in: &commit)
        after.version += 1
        after.updatedAt = now.microseconds
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "gateway.\(change.action)", target: account.name,
            reason: change.reason))
        return .commit(commit, reply(after))
      }
    }
  }
}
