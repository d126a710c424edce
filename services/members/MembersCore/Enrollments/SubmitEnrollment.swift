public import MembersV1
public import RPC
import ServiceKit

extension MembersService {
  /// Processes one application, which is stored durably.
  public func submitEnrollment(
    _ request: SubmitEnrollmentRequest, context: ServerContext
  ) async throws -> SubmitEnrollmentResponse {
    var response = SubmitEnrollmentResponse()
    response.enrollment = try await enroll(
      request.application, requestID: request.requestID, isDryRun: request.validateOnly,
      by: try EnrollmentCaller(context))
    return response
  }
}
