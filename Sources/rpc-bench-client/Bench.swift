import ArgumentParser
import BenchV1
import Foundation
import Protobuf
import RPC
import RPCTransport

/// Calls `bench.v1.Bench/Unary` in a loop and prints the CPU cost per call on both sides.
@main
struct Bench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rpc-bench-client",
    abstract: "Calls bench.v1.Bench/Unary, for measurements; prints one line of figures.")

  @Option(help: "The server's port, on the loopback address.")
  var port: Int

  @Option(help: "The server's process, whose CPU time is read too.")
  var server: Int32

  @Option(help: "A file with the request behind gRPC's five-byte prefix.")
  var body: String

  @Option(help: "Calls to measure; a tenth as many go before.")
  var calls = 100_000

  @Option(help: "Connections.")
  var connections = 4

  @Option(help: "Calls under way on each connection.")
  var streams = 32

  func validate() throws {
    guard calls > 0, connections > 0, streams > 0 else {
      throw ValidationError("--calls, --connections and --streams must be positive")
    }
  }

  func run() async throws {
    let loops = EventLoops(threads: 1)
    let framed = try Data(contentsOf: URL(fileURLWithPath: body))
    let request = try Request(wireBytes: Array(framed.dropFirst(5)))
    let clients = try (0..<connections).map { _ in
      BenchClientOfOne(
        try ClientChannel(targets: [HostPort(host: "127.0.0.1", port: port)], loops: loops),
        on: loops)
    }
    try await round(clients, request, calls / 10)
    let clock = ContinuousClock()
    let began = (clock.now, try CPUTime.own(), try CPUTime(of: server))
    try await round(clients, request, calls)
    let seconds = (clock.now - began.0) / .seconds(1)
    let own = Double(try CPUTime.own().nanoseconds - began.1.nanoseconds) / 1000 / Double(calls)
    let peer =
      Double(try CPUTime(of: server).nanoseconds - began.2.nanoseconds) / 1000 / Double(calls)
    let line = String(
      format: "client_us=%.2f server_us=%.2f calls_s=%.0f\n", own, peer, Double(calls) / seconds)
    try FileHandle.standardOutput.write(contentsOf: Data(line.utf8))
    for client in clients { await client.channel.shutdown() }
  }

  private func round(_ clients: [BenchClientOfOne], _ request: Request, _ calls: Int) async throws {
    let each = max(1, calls / (connections * streams))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for client in clients {
        for _ in 0..<streams {
          group.addTask(executorPreference: client.executor) {
            for _ in 0..<each {
              let response = try await client.stub.unary(request)
              guard response.member == request.member else {
                throw RPCError(.dataLoss, "the answer is another member")
              }
            }
          }
        }
      }
      try await group.waitForAll()
    }
  }
}

/// A connection, its client stub and the executor of its calls.
struct BenchClientOfOne {
  let channel: ClientChannel
  let stub: BenchClient
  let executor: any TaskExecutor

  init(_ channel: ClientChannel, on loops: EventLoops) {
    self.channel = channel
    stub = BenchClient(channel)
    executor = loops.taskExecutor()
  }
}

/// CPU time of all threads of a process, as counted by the scheduler
/// (`/proc/PID/task/*/schedstat`).
struct CPUTime {
  let nanoseconds: Int

  init(of process: Int32) throws {
    let tasks = URL(fileURLWithPath: "/proc/\(process)/task")
    nanoseconds = try FileManager.default
      .contentsOfDirectory(at: tasks, includingPropertiesForKeys: nil)
      .reduce(0) { sum, task in
        let text = try String(
          contentsOf: task.appendingPathComponent("schedstat"), encoding: .utf8)
        return sum + (text.split(separator: " ").first.flatMap { Int($0) } ?? 0)
      }
  }

  static func own() throws -> CPUTime {
    try CPUTime(of: ProcessInfo.processInfo.processIdentifier)
  }
}
