import GRPCTesting
import RPC

// The negative test cases, against servers that misbehave as scripted.
extension Interop {
  func negative(_ test: TestCase, _ client: TestServiceClient) async throws {
    switch test {
    case .goaway:
      try await largeUnary(client)
      // As the test's document requires: the GOAWAY arrives meanwhile.
      try await Task.sleep(for: .seconds(1))
      try await largeUnary(client)
    case .rstAfterHeader, .rstDuringData, .rstAfterData:
      // A truncated response is a failure, however much of it has arrived.
      try await expectFailure(.internalError) {
        _ = try await client.unaryCall(Self.largeRequest)
      }
    case .maxStreams:
      try await largeUnary(client)
      try await concurrently(10) { try await largeUnary(client) }
    default: try await largeUnary(client)
    }
  }
}
