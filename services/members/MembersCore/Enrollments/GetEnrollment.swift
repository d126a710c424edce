public import MembersV1
public import RPC
import ServiceKit
import Storage
import YijiaTypeV1

extension MembersService {
  /// Returns an enrollment: to a partner and to a person their own, to staff those of their subtree
  /// and their own.
  public func getEnrollment(
    _ request: GetEnrollmentRequest, context: ServerContext
  ) async throws -> GetEnrollmentResponse {
    let caller = try context.caller
    let id = try ResourceName.parse(request.name, collection: "enrollments", field: "name")
    let (scope, placed) = try await database.read(
      StaffScope.query(of: caller), EnrollmentStore.byID(id))
    guard let placed, placed.isVisible(to: caller, scope) else {
      throw MembersError.enrollmentNotFound
    }
    var response = GetEnrollmentResponse()
    response.enrollment = try placed.message(for: caller, scope, in: context.language, keys)
    return response
  }
}

extension PlacedEnrollment {
  /// The path that determines visibility: the member's organization, or else the receiving one.
  var place: String { memberPath ?? path }

  func isVisible(to caller: Caller, _ scope: StaffScope) -> Bool {
    enrollment.caller == caller.subject || scope.holds(place)
  }

  /// Returns the message for a caller. Staff whose enrollment created a membership see its
  /// receiver; otherwise they must not learn whether the person was a member elsewhere.
  fileprivate func message(
    for caller: Caller, _ scope: StaffScope, in language: Language, _ keys: MembersKeys
  ) throws -> Enrollment {
    if scope.holds(place) { return try reviewMessage(in: language, keys) }
    let isOwn = caller.kind == .staff && enrollment.caller == caller.subject
    return isOwn && enrollment.route != .unspecified
      ? enrollment.message(in: language) : enrollment.neutralMessage
  }
}
