import Logging
import RPC
import ServiceKit

/// Export of spans, and the share of calls that are sampled.
public struct TracingSetting: Codable, Sendable, Hashable {
  /// `host:port` of a collector on this machine that accepts OTLP over gRPC in plaintext; empty
  /// disables tracing.
  public var collector: String
  /// Share of the calls that are sampled without a request of an authenticated caller, 0 to 1.
  public var share: Double

  /// The defaults.
  public init() {
    collector = ""
    share = 0.01
  }

  /// Creates the exporter to the collector; nil where none is configured.
  func exporter(_ connect: Backends.Connect, _ logger: Logger) throws -> SpanExporter? {
    guard !collector.isEmpty else { return nil }
    let link = try BackendLink(targets: [collector], identity: "", tls: WorkloadFiles(name: ""))
    return SpanExporter(service: "yijia-gateway", channel: try connect(link), logger: logger)
  }

  func faults() -> [String] {
    var wrong: [String] = []
    if !collector.isEmpty {
      wrong += ServiceAddress.faults(ofTargets: [collector], at: "tracing.collector")
      let host = collector.lastIndex(of: ":").map { String(collector[..<$0]) } ?? ""
      if !ListenAddress.loopbackHosts.union(["[::1]"]).contains(host) {
        wrong.append("tracing.collector: a loopback address, for it is plaintext")
      }
    }
    if !(0...1).contains(share) { wrong.append("tracing.share: 0 to 1") }
    return wrong
  }
}
