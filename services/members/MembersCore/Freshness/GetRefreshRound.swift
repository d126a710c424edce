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
    let (scope, placed) = try await database.read(
      StaffScope.query(of: try context.caller), RefreshStore.byID(id))
    guard let placed, scope.holds(placed.path) else { throw MembersError.refreshRoundNotFound }
    return .with { $0.round = placed.round.message }
  }
}
