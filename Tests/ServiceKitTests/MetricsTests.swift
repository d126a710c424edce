import GRPCHealthV1
import Metrics
import RPC
import RPCInProcess
import ServiceKit
import Testing

@Suite("Metrics")
struct MetricsTests {
  private let registry = MetricsRegistry()

  private func lines(_ prefix: String) -> [String] {
    registry.text().split(separator: "\n").map(String.init).filter { $0.hasPrefix(prefix) }
  }

  @Test("a counter, a gauge, a size and a time are written in Prometheus format")
  func formats() {
    Counter(label: "a.b", dimensions: [("x.y", "1\"\\\n")], factory: registry).increment(by: 3)
    Counter(label: "a.b", dimensions: [("x.y", "1\"\\\n")], factory: registry).increment()
    Gauge(label: "depth", factory: registry).record(2.5)
    let size = Recorder(label: "request_size", aggregate: true, factory: registry)
    size.record(1024)
    size.record(1025)
    Timer(label: "wait", factory: registry).recordNanoseconds(1_500_000)
    #expect(lines("a_b") == [#"a_b_total{x_y="1\"\\\n"} 4"#])
    #expect(lines("depth") == ["depth 2.5"])
    #expect(lines("# TYPE request") == ["# TYPE request_size_bytes histogram"])
    #expect(
      lines("request_size_bytes_bucket").prefix(3) == [
        #"request_size_bytes_bucket{le="0"} 0"#, #"request_size_bytes_bucket{le="1024"} 1"#,
        #"request_size_bytes_bucket{le="2048"} 2"#,
      ])
    #expect(lines("request_size_bytes_sum") == ["request_size_bytes_sum 2049"])
    #expect(lines("wait_seconds_sum") == ["wait_seconds_sum 0.0015"])
    #expect(lines(#"wait_seconds_bucket{le="0.001"}"#) == [#"wait_seconds_bucket{le="0.001"} 0"#])
    #expect(lines(#"wait_seconds_bucket{le="0.002"}"#) == [#"wait_seconds_bucket{le="0.002"} 1"#])
    #expect(lines(#"wait_seconds_bucket{le="+Inf"}"#) == [#"wait_seconds_bucket{le="+Inf"} 1"#])
  }

  @Test("a name has one kind: a second kind is not recorded")
  func kinds() {
    Gauge(label: "n_total", factory: registry).record(1)
    Counter(label: "n", factory: registry).increment()
    #expect(lines("n_total") == ["n_total 1"])
  }

  @Test("destroyed metrics are not written any more")
  func destroyed() {
    let counter = Counter(label: "gone", factory: registry)
    counter.destroy()
    #expect(lines("gone").isEmpty)
  }

  /// A channel to a health service that counts, with a client that counts.
  private func channel() throws -> any RPC.Channel {
    try withMetricsFactory(registry) {
      let health = HealthRegistry()
      health.set("", .serving)
      let dispatcher = Dispatcher(
        router: try Router(services: [HealthService(registry: health)]),
        handlers: [MetricsPage(registry: registry)])
      return InProcessChannel(dispatcher).with(
        ChannelPolicy(observer: ClientMetrics(target: "health.test")))
    }
  }

  @Test("calls are counted at both ends by gRFC A66, with their sizes")
  func calls() async throws {
    let channel = try channel()
    let client = HealthClient(channel)
    var unknown = HealthCheckRequest()
    unknown.service = "nobody"
    for _ in 0..<3 { _ = try await client.check(HealthCheckRequest()) }
    await #expect(throws: RPCError.self) { try await client.check(unknown) }
    let method = #"grpc_method="grpc.health.v1.Health/Check""#
    let target = #"grpc_target="health.test""#
    #expect(
      lines("grpc_server_call_started_total{\(method)}")
        == ["grpc_server_call_started_total{\(method)} 4"])
    #expect(
      lines("grpc_server_call_duration_seconds_count") == [
        #"grpc_server_call_duration_seconds_count{\#(method),grpc_status="NOT_FOUND"} 1"#,
        #"grpc_server_call_duration_seconds_count{\#(method),grpc_status="OK"} 3"#,
      ])
    // Field 1 with "nobody" is 8 bytes; field 1 with SERVING is 2.
    let received = "grpc_server_call_rcvd_total_compressed_message_size_bytes_sum"
    #expect(
      lines(received) == [
        #"\#(received){\#(method),grpc_status="NOT_FOUND"} 8"#,
        #"\#(received){\#(method),grpc_status="OK"} 0"#,
      ])
    let sent = "grpc_server_call_sent_total_compressed_message_size_bytes_sum"
    #expect(lines(sent).last == #"\#(sent){\#(method),grpc_status="OK"} 6"#)
    let labels = "\(method),grpc_status=\"OK\",\(target)"
    #expect(
      lines("grpc_client_call_duration_seconds_count").last
        == "grpc_client_call_duration_seconds_count{\(labels)} 3")
    #expect(
      lines("grpc_client_attempt_started")
        == ["grpc_client_attempt_started_total{\(method),\(target)} 4"])
    let back = "grpc_client_attempt_rcvd_total_compressed_message_size_bytes_sum"
    #expect(lines(back).last == "\(back){\(labels)} 6")
  }

  @Test("unknown methods are counted as one other method")
  func others() async throws {
    let channel = try channel()
    for name in ["A", "B"] {
      let method = MethodDescriptor(service: "made.up", name: name, kind: .unary)
      await #expect(throws: RPCError.self) {
        let _: ClientResponse<HealthCheckResponse> = try await channel.unary(
          method, HealthCheckRequest())
      }
    }
    let name = "grpc_server_call_duration_seconds_count"
    #expect(
      lines(name) == [#"\#(name){grpc_method="other",grpc_status="UNIMPLEMENTED"} 2"#])
  }

  @Test("the admin port's page has call and process metrics")
  func page() async throws {
    let channel = try channel()
    _ = try await HealthClient(channel).check(HealthCheckRequest())
    let head = RequestHead(fields: [":method": "GET", ":path": "/metrics"])
    let exchange = try await channel.openExchange(head)
    await exchange.finish()
    #expect(try await exchange.head()[":status"] == "200")
    var body: [UInt8] = []
    while let chunk = try await exchange.nextChunk() { body += chunk }
    let text = String(decoding: body, as: UTF8.self)
    for name in [
      "grpc_server_call_started_total", "process_cpu_seconds_total",
      "process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds",
    ] {
      #expect(text.contains("\n\(name)"), "\(name)")
    }
  }

  @Test("without a backend nothing is counted")
  func off() {
    #expect(ServerMetrics(paths: ["/a.B/C"]) == nil)
    #expect(ClientMetrics(target: "a") == nil)
  }
}
