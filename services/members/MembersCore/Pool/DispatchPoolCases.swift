public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Assigns cases, or only decides, and returns a result per row. Rows are stored in batches; rows
  /// of one case wait for each other.
  public func dispatchPoolCases(
    _ requests: RequestStream<DispatchPoolCasesRequest>,
    responses: ResponseWriter<DispatchPoolCasesResponse>, context: ServerContext
  ) async throws {
    let (language, fieldNames) = (context.language, context.fieldNames)
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
            receiver: request.receiver, payload: payload, isDryRun: request.validateOnly,
            at: clock.now)
          response.result = .poolCase(try await assign(order))
        } catch {
          guard let refusal = RecordError(error, in: language, fieldNames) else { throw error }
          response.result = .error(refusal)
        }
        return response
      })
    try await pipeline.run(requests, responses)
  }
}
