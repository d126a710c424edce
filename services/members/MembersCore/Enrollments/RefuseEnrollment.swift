public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  private static let noteCharactersMax = 200

  /// Refuses an undecided enrollment, with a reason.
  public func refuseEnrollment(
    _ request: RefuseEnrollmentRequest, context: ServerContext
  ) async throws -> RefuseEnrollmentResponse {
    var order = try ReviewOrder(requestID: request.requestID, name: request.name)
    switch request.reason {
    case .unspecified: order.checks.add([.required("reason")])
    case .unrecognized: order.checks.add([.invalidValue("reason")])
    default: break
    }
    let fewest = request.reason == .other ? 1 : 0
    let note = order.checks.take { () throws(FieldFailure) in
      try PlainText.checked(
        request.note, field: "note", characters: fewest...Self.noteCharactersMax)
    }
    try order.checks.check()
    var review = EnrollmentReview(
      .refuse, of: order.enrollmentID, by: try EnrollmentCaller(context), service: self)
    review.etag = request.etag
    review.refusal = request.reason.protoName.map {
      String($0.dropFirst("ENROLLMENT_REFUSAL_".count))
    }
    review.note = note ?? ""
    var payload = request
    payload.requestID = ""
    var response = RefuseEnrollmentResponse()
    response.enrollment = try await decide(
      review, order.requestID, payload: try payload.wireBytes(), context)
    return response
  }
}
