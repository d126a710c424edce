public import MembersV1
public import RPC
import ServiceKit
import Storage
import YijiaTypeV1

extension MembersService {
  /// Lists enrollments: to staff those of a subtree, to others those that they submitted.
  public func listEnrollments(
    _ request: ListEnrollmentsRequest, context: ServerContext
  ) async throws -> ListEnrollmentsResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let states = try Filter.values(request.states, "states")
    return caller.kind == .staff
      ? try await queue(request, states, size, caller, context.language)
      : try await made(request, states, size, caller)
  }

  private func queue(
    _ request: ListEnrollmentsRequest, _ asked: [EnrollmentState], _ size: Int,
    _ caller: Caller, _ language: Language
  ) async throws -> ListEnrollmentsResponse {
    let range = try await subtree(of: request.ancestor, for: caller)
    let states = asked.isEmpty ? [.held, .pending] : asked
    let scope =
      ["ListEnrollments", caller.subject, range.first]
      + states.map { String($0.rawValue) }
    let after = try EnrollmentStore.Place(keys.pages.decode(request.pageToken, scope: scope))
    // The remaining rows of the organization in which the last page ended, then the following
    // organizations.
    let rest = try await database.read(
      EnrollmentStore.queue(at: after, states: states, limit: size + 1))
    let missing = size + 1 - rest.count
    let following =
      missing == 0
      ? []
      : try await treePage(
        of: range, after: after.path, limit: missing, EnrollmentStore.rows(states)
      ) { range, plan in
        EnrollmentStore.queue(
          of: range, after: after.path, states: states, by: plan, limit: missing)
      }
    let rows = rest + following
    var response = ListEnrollmentsResponse()
    response.enrollments = try rows.prefix(size).map { row in
      row.place.hasPrefix(range.first)
        ? try row.reviewMessage(in: language, keys) : row.enrollment.message(in: language)
    }
    if rows.count > size {
      response.nextPageToken = try keys.pages.encode(
        EnrollmentStore.Place(rows[size - 1]).values, scope: scope)
    }
    return response
  }

  private func made(
    _ request: ListEnrollmentsRequest, _ states: [EnrollmentState], _ size: Int,
    _ caller: Caller
  ) async throws -> ListEnrollmentsResponse {
    var response = ListEnrollmentsResponse()
    // To these callers all of them are RECEIVED.
    guard states.isEmpty || states.contains(.received) else { return response }
    let scope = ["ListEnrollments", caller.subject]
    let after = try keys.pages.decode(request.pageToken, scope: scope)
    let rows = try await database.read(
      EnrollmentStore.made(
        by: caller.subject, after: after?.first ?? .integer(0), after?.last ?? .text(""),
        limit: size + 1))
    response.enrollments = rows.prefix(size).map(\.enrollment.neutralMessage)
    if rows.count > size {
      let last = rows[size - 1].enrollment
      response.nextPageToken = try keys.pages.encode([last.created, last.id], scope: scope)
    }
    return response
  }
}
