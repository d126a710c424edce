import Foundation
import GRPCTesting
import RPC
import RPCTransport

/// The failure of a test case.
struct Failed: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Throws unless the two values are equal.
func expect<Value: Equatable>(_ what: String, _ value: Value, is expected: Value) throws {
  guard value == expected else { throw Failed("\(what) is \(value), not \(expected)") }
}

/// Runs test cases, each with channels of its own.
struct Interop: Sendable {
  /// Payload size of large requests, fixed by gRPC's documents.
  static let requestBytes = 271_828
  /// Payload size of large responses, fixed by gRPC's documents.
  static let responseBytes: Int32 = 314_159

  let target: HostPort
  let tls: ClientTLS?
  let loops: EventLoops
  let soakIterations: Int
  let concurrentCalls: Int

  func run(_ test: TestCase) async throws {
    if test == .channelSoak { return try await channelSoak() }
    try await withChannel { channel in
      let client = TestServiceClient(channel)
      switch test {
      case .emptyUnary: try await expect("the response", client.emptyCall(Empty()), is: Empty())
      case .largeUnary: try await largeUnary(client)
      case .clientStreaming: try await clientStreaming(client)
      case .serverStreaming: try await serverStreaming(client)
      case .pingPong: try await pingPong(client)
      case .emptyStream: try await emptyStream(client)
      case .clientCompressedUnary, .serverCompressedUnary, .clientCompressedStreaming,
        .serverCompressedStreaming:
        try await compressed(test, channel)
      case .customMetadata: try await customMetadata(channel)
      case .statusCodeAndMessage: try await statusCodeAndMessage(client)
      case .specialStatusMessage: try await specialStatusMessage(client)
      case .unimplementedMethod:
        try await expectFailure(.unimplemented) { _ = try await client.unimplementedCall(Empty()) }
      case .unimplementedService:
        try await expectFailure(.unimplemented) {
          _ = try await UnimplementedServiceClient(channel).unimplementedCall(Empty())
        }
      case .cancelAfterBegin: try await cancelAfterBegin(client)
      case .cancelAfterFirstResponse: try await cancelAfterFirstResponse(client)
      case .timeoutOnSleepingServer: try await timeoutOnSleepingServer(client)
      case .concurrentLargeUnary:
        try await concurrently(concurrentCalls) { try await largeUnary(client) }
      case .rpcSoak: for _ in 0..<soakIterations { try await largeUnary(client) }
      case .channelSoak: break
      case .goaway, .rstAfterHeader, .rstDuringData, .rstAfterData, .ping, .maxStreams:
        try await negative(test, client)
      }
    }
  }

  /// Runs `body` with a channel of its own.
  func withChannel(_ body: (any RPC.Channel) async throws -> Void) async throws {
    let channel = try ClientChannel(targets: [target], tls: tls, loops: loops)
    do {
      try await body(channel)
    } catch {
      await channel.shutdown()
      throw error
    }
    await channel.shutdown()
  }

  func concurrently(_ count: Int, _ body: @escaping @Sendable () async throws -> Void) async throws
  {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<count { group.addTask { try await body() } }
      try await group.waitForAll()
    }
  }

  // MARK: - Requests

  static func payload(_ count: Int) -> Payload {
    var payload = Payload()
    payload.body = [UInt8](repeating: 0, count: count)
    return payload
  }

  static var largeRequest: SimpleRequest {
    var request = SimpleRequest()
    request.responseSize = responseBytes
    request.payload = payload(requestBytes)
    return request
  }

  static func input(_ count: Int) -> StreamingInputCallRequest {
    var request = StreamingInputCallRequest()
    request.payload = payload(count)
    return request
  }

  static func output(_ sizes: [Int32], payload count: Int? = nil) -> StreamingOutputCallRequest {
    var request = StreamingOutputCallRequest()
    request.responseParameters = sizes.map { size in
      var parameters = ResponseParameters()
      parameters.size = size
      return parameters
    }
    request.payload = count.map { payload($0) }
    return request
  }

  func largeUnary(_ client: TestServiceClient) async throws {
    let response = try await client.unaryCall(Self.largeRequest)
    try expectPayload(response.payload, Self.responseBytes)
  }

  func expectPayload(_ payload: Payload?, _ count: Int32) throws {
    try expect("the payload's type", payload?.type, is: .compressable)
    try expect("the payload's size", payload?.body.count, is: Int(count))
    // Compared as memory: comparing byte by byte takes seconds in a debug build of a soak test.
    guard Data(payload?.body ?? []) == Data(count: Int(count)) else {
      throw Failed("the payload is not of zeros")
    }
  }

  /// - Returns: The error, for further checks.
  @discardableResult
  func expectFailure(
    _ code: RPCError.Code, _ body: () async throws -> Void
  ) async throws -> RPCError {
    do {
      try await body()
    } catch let error as RPCError {
      try expect("the status (\(error.message))", error.code.name, is: code.name)
      return error
    }
    throw Failed("the call went well, and \(code.name) was to come")
  }
}
