import Foundation
import GRPCHealthV1
import Metrics
import RPC
import RPCInProcess
import ServiceKit
import Synchronization
import Testing

/// What is recorded of calls, compared with the text of gRFC A66.
@Suite("Metrics of calls by gRFC A66")
struct CallMetricsTests {
  private static let method = #"grpc_method="grpc.health.v1.Health/Check""#
  private static let target = #"grpc_target="health.test""#

  private let registry = MetricsRegistry()

  /// Answers after so many failures, with UNAVAILABLE.
  private final class Flaky: HealthProtocol {
    private let failures: Atomic<Int>

    init(failures: Int) { self.failures = Atomic(failures) }

    func check(
      _ request: HealthCheckRequest, context: ServerContext
    ) async throws -> HealthCheckResponse {
      if failures.subtract(1, ordering: .relaxed).oldValue > 0 {
        throw RPCError(.unavailable, "not yet")
      }
      if request.service == "cancelled" { throw RPCError(.cancelled, "it was cancelled") }
      var response = HealthCheckResponse()
      response.status = .serving
      return response
    }
  }

  /// A channel to a health service that fails so often before it answers; calls are retried.
  private func channel(failures: Int = 0) throws -> any RPC.Channel {
    let retry = RetryPolicy(attemptsMax: 3, initialBackoff: .milliseconds(1))
    let config = ServiceConfig(methods: [
      MethodConfig(names: [MethodConfig.Name()], execution: .retry(retry))
    ])
    return try withMetricsFactory(registry) {
      try InProcessChannel(services: [Flaky(failures: failures)]).with(
        ChannelPolicy(observer: ClientMetrics(target: "health.test"), serviceConfig: config))
    }
  }

  private func lines(_ prefix: String) -> [String] {
    registry.text().split(separator: "\n").map(String.init).filter { $0.hasPrefix(prefix) }
  }

  /// The names of the labels of the first line that begins so.
  private func labels(_ name: String) throws -> [String] {
    let line = try #require(lines(name + "{").first)
    let inner = line.drop { $0 != "{" }.dropFirst().prefix { $0 != "}" }
    return inner.split(separator: ",").map { String($0.prefix { $0 != "=" }) }
  }

  @Test("the instruments, their kinds, units and labels are those of the gRFC, and no others")
  func instruments() async throws {
    _ = try await HealthClient(channel()).check(HealthCheckRequest())
    let client = ["grpc_method", "grpc_status", "grpc_target"]
    let server = ["grpc_method", "grpc_status"]
    let sizes = ["rcvd", "sent"].map { "\($0)_total_compressed_message_size_bytes" }
    var expected = [
      "grpc_client_attempt_duration_seconds": client, "grpc_client_call_duration_seconds": client,
      "grpc_server_call_duration_seconds": server,
    ]
    for size in sizes {
      expected["grpc_client_attempt_\(size)"] = client
      expected["grpc_server_call_\(size)"] = server
    }
    for (name, names) in expected { #expect(try labels("\(name)_count") == names) }
    #expect(try labels("grpc_client_attempt_started_total") == ["grpc_method", "grpc_target"])
    #expect(try labels("grpc_server_call_started_total") == ["grpc_method"])
    let counters = ["grpc_client_attempt_started_total", "grpc_server_call_started_total"]
    let types =
      expected.keys.map { "# TYPE \($0) histogram" } + counters.map { "# TYPE \($0) counter" }
    #expect(lines("# TYPE grpc_") == types.sorted())
  }

  @Test("the buckets are those of the gRFC")
  func buckets() async throws {
    _ = try await HealthClient(channel()).check(HealthCheckRequest())
    func bounds(_ name: String) -> [Double] {
      lines("\(name)_bucket").compactMap { line in
        line.range(of: "le=\"").flatMap { Double(line[$0.upperBound...].prefix { $0 != "\"" }) }
      }
    }
    #expect(
      bounds("grpc_server_call_duration_seconds") == [
        0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005,
        0.006, 0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13,
        0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1, 2, 5, 10, 20, 50, 100, .infinity,
      ])
    #expect(
      bounds("grpc_client_attempt_sent_total_compressed_message_size_bytes") == [
        0, 1024, 2048, 4096, 16384, 65536, 262144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
        268_435_456, 1_073_741_824, 4_294_967_296, .infinity,
      ])
  }

  @Test("each attempt is recorded with its status and sizes, the call with its own status")
  func attempts() async throws {
    var request = HealthCheckRequest()
    request.service = "abc"
    _ = try await HealthClient(channel(failures: 2)).check(request)
    #expect(lines("grpc_client_attempt_started_total").map { $0.suffix(2) } == [" 3"])
    let unavailable = #"\#(Self.method),grpc_status="UNAVAILABLE",\#(Self.target)"#
    let fine = #"\#(Self.method),grpc_status="OK",\#(Self.target)"#
    let duration = "grpc_client_attempt_duration_seconds_count"
    #expect(lines(duration) == ["\(duration){\(fine)} 1", "\(duration){\(unavailable)} 2"])
    // The request's field is 5 bytes with its tag and length.
    let sent = "grpc_client_attempt_sent_total_compressed_message_size_bytes_sum"
    #expect(lines(sent) == ["\(sent){\(fine)} 5", "\(sent){\(unavailable)} 10"])
    let received = "grpc_client_attempt_rcvd_total_compressed_message_size_bytes_sum"
    #expect(lines(received) == ["\(received){\(fine)} 2", "\(received){\(unavailable)} 0"])
    let call = "grpc_client_call_duration_seconds_count"
    #expect(lines(call) == ["\(call){\(fine)} 1"])
  }

  @Test("statuses are spelled as gRPC does")
  func statuses() async throws {
    let client = HealthClient(try channel())
    var request = HealthCheckRequest()
    request.service = "cancelled"
    await #expect(throws: RPCError.self) { try await client.check(request) }
    var options = CallOptions()
    options.deadline = .after(.zero)
    await #expect(throws: RPCError.self) {
      try await client.check(HealthCheckRequest(), options: options)
    }
    let call = "grpc_client_call_duration_seconds_count"
    #expect(
      lines(call) == [
        #"\#(call){\#(Self.method),grpc_status="CANCELLED",\#(Self.target)} 1"#,
        #"\#(call){\#(Self.method),grpc_status="DEADLINE_EXCEEDED",\#(Self.target)} 1"#,
      ])
  }

  @Test("a client records a thousand methods by name, and further ones as one other method")
  func clientOthers() async throws {
    let channel = try channel()
    for index in 0..<1_003 {
      let method = MethodDescriptor(service: "made.up", name: "M\(index)", kind: .unary)
      await #expect(throws: RPCError.self) {
        let _: ClientResponse<HealthCheckResponse> = try await channel.unary(
          method, HealthCheckRequest())
      }
    }
    let started = lines("grpc_client_attempt_started_total")
    #expect(started.count == 1_001)
    #expect(
      started.filter { $0.contains(#"grpc_method="other""#) }
        == [#"grpc_client_attempt_started_total{grpc_method="other",\#(Self.target)} 3"#])
  }
}
