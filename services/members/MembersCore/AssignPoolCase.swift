public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Assigns a waiting case to a union.
  public func assignPoolCase(
    _ request: AssignPoolCaseRequest, context: ServerContext
  ) async throws -> AssignPoolCaseResponse {
    var payload = request
    payload.requestID = ""
    let order = try PoolCaseOrder(
      context, requestID: request.requestID, name: request.name, receiver: request.receiver,
      etag: request.etag, payload: payload, at: clock.now)
    var response = AssignPoolCaseResponse()
    response.poolCase = try await assign(order)
    return response
  }

  /// Assigns cases, a result a row. Rows are stored many at a time; rows of one case wait for each
  /// other.
  public func dispatchPoolCases(
    _ requests: RequestStream<DispatchPoolCasesRequest>,
    responses: ResponseWriter<DispatchPoolCasesResponse>, context: ServerContext
  ) async throws {
    let language = context.language
    let pipeline = RecordPipeline<DispatchPoolCasesRequest, DispatchPoolCasesResponse>(
      window: configuration.enrollmentsInFlight,
      order: { row in .init(own: [row.name], needs: [row.name]) },
      answer: { request in
        var response = DispatchPoolCasesResponse()
        response.row = request.row
        var payload = request
        payload.requestID = ""
        payload.row = 0
        do {
          let order = try PoolCaseOrder(
            context, requestID: request.requestID, name: request.name,
            receiver: request.receiver, payload: payload, at: clock.now)
          response.result = .poolCase(try await assign(order))
        } catch {
          guard let refusal = RecordError(error, in: language) else { throw error }
          response.result = .error(refusal)
        }
        return response
      })
    try await pipeline.run(requests, responses)
  }

  /// The one path of AssignPoolCase and of every row of a dispatch.
  private func assign(_ order: PoolCaseOrder) async throws -> PoolCase {
    try await write(order, action: "poolCases.assign") { facts, commit in
      guard facts.placed.isKept(by: facts.scope) else { throw CommonFailure.outOfScope }
      guard let receiver = facts.receiver else { throw MembersError.organizationNotFound }
      try receiver.checkTakesMembers()
      let assigned = try commit.change(facts.placed.poolCase, .assign, by: order.act) {
        $0.receiverID = receiver.id
      }
      return facts.placed.message(assigned)
    }
  }
}
