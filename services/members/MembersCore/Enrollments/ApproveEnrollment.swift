public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Approves an undecided enrollment: the person becomes a member.
  public func approveEnrollment(
    _ request: ApproveEnrollmentRequest, context: ServerContext
  ) async throws -> ApproveEnrollmentResponse {
    let order = try ReviewOrder(requestID: request.requestID, name: request.name)
    try order.checks.check()
    var review = EnrollmentReview(
      .approve, of: order.enrollmentID, by: try EnrollmentCaller(context), service: self)
    review.etag = request.etag
    var payload = request
    payload.requestID = ""
    var response = ApproveEnrollmentResponse()
    response.enrollment = try await decide(
      review, order.requestID, payload: try payload.wireBytes(), context)
    return response
  }

  /// Executes a decision of staff, once per request id.
  func decide(
    _ review: EnrollmentReview, _ requestID: String, payload: [UInt8], _ context: ServerContext
  ) async throws -> Enrollment {
    try Enrollment(
      wireBytes: try await writeOnce(requestID, payload: payload, at: review.now, context) {
        review.step()
      })
  }
}

/// The validated common fields of a decision on an enrollment.
struct ReviewOrder: Sendable {
  private(set) var requestID = ""
  private(set) var enrollmentID = ""
  var checks = FieldChecks()

  init(requestID: String, name: String) throws {
    self.requestID =
      checks.requestID(requestID) ?? ""
    enrollmentID =
      checks.resource(name, of: "enrollments", "name") ?? ""
  }
}
