public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Withdraws an undecided enrollment at the person's request. Does not reveal to a partner
  /// whether it was undecided.
  public func withdrawEnrollment(
    _ request: WithdrawEnrollmentRequest, context: ServerContext
  ) async throws -> WithdrawEnrollmentResponse {
    let order = try ReviewOrder(requestID: request.requestID, name: request.name)
    try order.checks.check()
    let review = EnrollmentReview(
      .withdraw, of: order.enrollmentID, by: try EnrollmentCaller(context), service: self)
    var payload = request
    payload.requestID = ""
    var response = WithdrawEnrollmentResponse()
    response.enrollment = try await decide(
      review, order.requestID, payload: try payload.wireBytes(), context)
    return response
  }
}
