public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Returns a list with its progress.
  public func getOutreachList(
    _ request: GetOutreachListRequest, context: ServerContext
  ) async throws -> GetOutreachListResponse {
    let id = try ResourceName.parse(request.name, collection: "outreachLists", field: "name")
    let (scope, placed, counts) = try await database.read(
      StaffScope.query(of: try context.caller), OutreachStore.byID(id), OutreachStore.counts(of: id)
    )
    guard let placed, scope.holds(placed.path) else { throw MembersError.outreachNotFound }
    return try .with { $0.outreachList = try placed.list.message(counts) }
  }

  /// Returns a list in the caller's subtree.
  ///
  /// - Throws: ``MembersError/outreachNotFound``.
  func outreachList(_ id: String, for caller: Caller) async throws -> StoredOutreachList {
    let (scope, placed) = try await database.read(
      StaffScope.query(of: caller), OutreachStore.byID(id))
    guard let placed, scope.holds(placed.path) else { throw MembersError.outreachNotFound }
    return placed.list
  }
}
