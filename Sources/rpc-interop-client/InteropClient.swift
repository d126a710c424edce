import ArgumentParser
import Foundation
import RPC
import RPCTransport

/// Runs one standard interoperability test case against a server of any implementation.
@main
struct InteropClient: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rpc-interop-client",
    abstract: "Runs a gRPC interoperability test case; exits with 0 when it passes.",
    discussion: "Test cases: \(TestCase.allCases.map(\.rawValue).joined(separator: ", "))")

  @Option(help: "The server's name or address.")
  var host = "127.0.0.1"

  @Option(help: "The server's port.")
  var port: Int

  @Option(help: "The test case, by the name gRPC's documents give it.")
  var testCase: TestCase

  @Option(help: "A PEM file of authorities to trust; with it the connection is TLS.")
  var tlsCA: String?

  @Option(help: "The host name the server's certificate is for, where that is not --host.")
  var tlsServerName: String?

  @Option(help: "A PEM file with our certificate chain, for servers that ask for one.")
  var tlsCert: String?

  @Option(help: "A PEM file with its private key.")
  var tlsKey: String?

  @Option(help: "Calls of rpc_soak and channel_soak.")
  var soakIterations = 10

  @Option(help: "Calls of concurrent_large_unary.")
  var concurrentCalls = 1000

  func validate() throws {
    guard tlsServerName == nil || tlsCA != nil else {
      throw ValidationError("--tls-server-name needs --tls-ca")
    }
    guard (tlsCert == nil) == (tlsKey == nil), tlsCert == nil || tlsCA != nil else {
      throw ValidationError("--tls-cert and --tls-key go together, and with --tls-ca")
    }
    guard concurrentCalls > 0 else { throw ValidationError("--concurrent-calls is at least 1") }
    guard soakIterations > 0 else { throw ValidationError("--soak-iterations is at least 1") }
  }

  func run() async throws {
    let loops = EventLoops(threads: 2)
    var tls: ClientTLS?
    if let tlsCA {
      tls = ClientTLS(
        authorities: tlsCA, serverName: tlsServerName.map { .host($0) } ?? .target)
      if let tlsCert, let tlsKey {
        tls?.identity = TLSFiles(certificateChain: tlsCert, privateKey: tlsKey)
      }
    }
    let interop = Interop(
      target: HostPort(host: host, port: port), tls: tls, loops: loops,
      soakIterations: soakIterations, concurrentCalls: concurrentCalls)
    do {
      try await interop.run(testCase)
    } catch {
      try say("failed: \(testCase.rawValue): \(error)")
      throw ExitCode.failure
    }
    try say("passed: \(testCase.rawValue)")
    try await loops.shutdown()
  }

  private func say(_ line: String) throws {
    try FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8))
  }
}

/// The test cases, by their names in gRPC's documents.
/// Source: <https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md> and, from
/// `goaway` on, `doc/negative-http2-interop-test-descriptions.md` beside it.
enum TestCase: String, CaseIterable, ExpressibleByArgument {
  case emptyUnary = "empty_unary"
  case largeUnary = "large_unary"
  case clientStreaming = "client_streaming"
  case serverStreaming = "server_streaming"
  case pingPong = "ping_pong"
  case emptyStream = "empty_stream"
  case clientCompressedUnary = "client_compressed_unary"
  case serverCompressedUnary = "server_compressed_unary"
  case clientCompressedStreaming = "client_compressed_streaming"
  case serverCompressedStreaming = "server_compressed_streaming"
  case customMetadata = "custom_metadata"
  case statusCodeAndMessage = "status_code_and_message"
  case specialStatusMessage = "special_status_message"
  case unimplementedMethod = "unimplemented_method"
  case unimplementedService = "unimplemented_service"
  case cancelAfterBegin = "cancel_after_begin"
  case cancelAfterFirstResponse = "cancel_after_first_response"
  case timeoutOnSleepingServer = "timeout_on_sleeping_server"
  case concurrentLargeUnary = "concurrent_large_unary"
  case rpcSoak = "rpc_soak"
  case channelSoak = "channel_soak"
  case goaway
  case rstAfterHeader = "rst_after_header"
  case rstDuringData = "rst_during_data"
  case rstAfterData = "rst_after_data"
  case ping
  case maxStreams = "max_streams"
}
