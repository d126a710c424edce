public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Returns a round with its progress.
  public func getRefreshRound(
    _ request: GetRefreshRoundRequest, context: ServerContext
  ) async throws -> GetRefreshRoundResponse {
    let id = try ResourceName.parse(request.name, collection: "refreshRounds", field: "name")
    let found = try await round(id, for: try context.caller)
    return .with { $0.round = found }
  }

  /// Returns a round of the caller's subtree.
  ///
  /// - Throws: ``MembersError/refreshRoundNotFound``, also outside of the caller's subtree.
  func round(_ id: String, for caller: Caller) async throws -> RefreshRound {
    let (scope, placed, counts) = try await database.read(
      StaffScope.query(of: caller), RefreshStore.byID(id), RefreshStore.counts(of: id))
    guard let placed, scope.holds(placed.path) else { throw MembersError.refreshRoundNotFound }
    return placed.round.message(counts)
  }
}
