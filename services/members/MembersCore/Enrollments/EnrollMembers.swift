public import MembersV1
public import RPC
import ServiceKit

extension MembersService {
  /// Takes in many applications, a result a record in their order: the same path as
  /// ``submitEnrollment(_:context:)``, many at a time, so that they share commits.
  public func enrollMembers(
    _ requests: RequestStream<EnrollMembersRequest>,
    responses: ResponseWriter<EnrollMembersResponse>, context: ServerContext
  ) async throws {
    let caller = try EnrollmentCaller(context)
    let pipeline = RecordPipeline<EnrollMembersRequest, EnrollMembersResponse>(
      window: configuration.enrollmentsInFlight,
      answer: { request in
        var response = EnrollMembersResponse()
        response.row = request.row
        do {
          let enrollment = try await enroll(
            request.application, requestID: request.requestID,
            isDryRun: request.validateOnly, by: caller)
          response.result = .enrollment(enrollment)
        } catch {
          guard let refusal = RecordError(error, in: caller.language) else { throw error }
          response.result = .error(refusal)
        }
        return response
      })
    try await pipeline.run(requests, responses)
  }
}
