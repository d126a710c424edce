import GreeterV1
import RPC

// guide: relay
/// Has another server greet, within the time of the call that it answers.
struct Relay: GreeterServiceProtocol {
  let channel: any Channel

  func greet(
    _ request: GreetRequest, context: ServerContext
  ) async throws -> GreetResponse {
    try await GreeterServiceClient(channel).greet(request, options: CallOptions(within: context))
  }
}
// guide: end
