public import RPC
import ServiceKit
public import StationsV1
import Storage

extension StationsService {
  /// Lists the visits of a point in the caller's subtree, in the order in which they were stored.
  public func listVisits(
    _ request: ListVisitsRequest, context: ServerContext
  ) async throws -> ListVisitsResponse {
    let caller = try context.caller
    var checks = FieldChecks()
    let pointID = checks.resource(request.point, of: "points", "point")
    let kiosk =
      request.kiosk.isEmpty
      ? nil
      : checks.resource(request.kiosk, of: "kiosks", "kiosk")
    let pageSize = checks.pageSize(request.pageSize, standard: 50, maximum: 1_000)
    let id = try checks.finish(pointID)
    _ = try await point(id, for: caller)

    let scope = [context.method.path, caller.subject, id, kiosk ?? ""]
    var last: Int64 = 0
    if let cursor = try pageTokens.decode(request.pageToken, scope: scope) {
      guard cursor.count == 1, case .integer(let number) = cursor[0] else {
        throw CommonFailure.invalidPageToken
      }
      last = number
    }
    let visits = try await database.read(
      VisitStore.page(point: id, kiosk: kiosk, after: last, limit: pageSize + 1))
    var response = ListVisitsResponse()
    response.visits = visits.prefix(pageSize).map(\.message)
    if visits.count > pageSize {
      response.nextPageToken = try pageTokens.encode(
        [visits[pageSize - 1].number], scope: scope)
    }
    return response
  }
}
