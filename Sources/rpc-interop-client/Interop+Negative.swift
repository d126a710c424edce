import GRPCTesting
import RPC

// Against servers that misbehave as their script says.
extension Interop {
  func negative(_ test: TestCase, _ client: TestServiceClient) async throws {
    switch test {
    case .goaway:
      try await largeUnary(client)
      // By its document: the GOAWAY arrives meanwhile.
      try await Task.sleep(for: .seconds(1))
      try await largeUnary(client)
    case .rstAfterHeader, .rstDuringData, .rstAfterData:
      // A response that is cut is none, however much of it came.
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
