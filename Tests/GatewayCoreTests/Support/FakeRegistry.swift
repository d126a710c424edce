import GoogleProtobuf
import MembersV1
import RPC
import ServiceKit

/// A members service that reports its requests.
struct FakeRegistry: MembersServiceProtocol {
  func getMember(
    _ request: GetMemberRequest, context: ServerContext
  ) async throws -> GetMemberResponse {
    guard request.name != "members/unknown" else {
      throw RPCError(.notFound, "no member")
    }
    var member = Member()
    member.name = request.name
    member.memberNumber = context.metadata[text: "accept-language"] ?? ""
    var response = GetMemberResponse()
    response.member = member
    return response
  }

  func listMembers(
    _ request: ListMembersRequest, context: ServerContext
  ) async throws -> ListMembersResponse {
    var response = ListMembersResponse()
    response.nextPageToken =
      "\(request.pageSize) \(request.pageToken) "
      + request.groups.map { "\($0.rawValue)" }.joined(separator: ",")
    return response
  }

  func revealMember(
    _ request: RevealMemberRequest, context: ServerContext
  ) async throws -> RevealMemberResponse {
    var response = RevealMemberResponse()
    response.name = request.name
    response.personName = request.reason
    return response
  }

  func submitEnrollment(
    _ request: SubmitEnrollmentRequest, context: ServerContext
  ) async throws -> SubmitEnrollmentResponse {
    var enrollment = Enrollment()
    enrollment.name = request.application?.personName ?? ""
    var response = SubmitEnrollmentResponse()
    response.enrollment = enrollment
    return response
  }

  /// One event, and then none.
  func watchMemberEvents(
    _ request: WatchMemberEventsRequest, responses: ResponseWriter<WatchMemberEventsResponse>,
    context: ServerContext
  ) async throws {
    try await responses.send(WatchMemberEventsResponse())
    await untilCancelled()
  }

  func enrollMembers(
    _ requests: RequestStream<EnrollMembersRequest>,
    responses: ResponseWriter<EnrollMembersResponse>, context: ServerContext
  ) async throws {
    for try await request in requests {
      if request.application?.personName == "王坏" {
        throw RPCError(.resourceExhausted, "enough")
      }
      var enrollment = Enrollment()
      enrollment.name = request.application?.personName ?? ""
      var response = EnrollMembersResponse()
      response.row = request.row
      response.result = .enrollment(enrollment)
      try await responses.send(response)
    }
  }
}
