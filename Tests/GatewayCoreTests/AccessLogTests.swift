import Foundation
import Logging
import RPC
import RPCInProcess
import TestWaiting
import Testing

@testable import GatewayCore

@Suite("Access log")
struct AccessLogTests {
  private static let path = "/grpc.testing.TestService/EmptyCall"

  @Test("a call is a JSON line with method, caller, code and duration, without credentials")
  func lines() async throws {
    let gateway = try TestGateway(try InProcessChannel(services: [EchoService()]))
    let edge = try gateway.edge()
    _ = try await edge.outcome("/grpc.testing.TestService/UnaryCall", TestCaller.kiosk.metadata)
    _ = try await edge.outcome(Self.path, TestCaller.nobody.metadata)
    _ = try await edge.outcome("/no.Such/\"\\\u{7}", ["x-api-key": .text(TestGateway.partnerKey)])
    try await eventually { gateway.lines.value.count >= 3 }
    let lines = gateway.lines.value
    let records = try lines.map { line in
      try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
    #expect(records.allSatisfy { $0["duration_us"] is NSNumber })
    #expect(Set(records.map { $0["time"] as? String }) == ["2026-11-21T00:00:00.000Z"])
    #expect(records[1]["code"] as? String == "UNAUTHENTICATED")
    #expect(records[1]["reason"] as? String == "CALLER_UNPROVEN")
    #expect(records[1]["caller"] as? String == "-")
    #expect(records[0]["caller"] as? String == TestGateway.kiosk)
    #expect(records[0]["method"] as? String == "/grpc.testing.TestService/UnaryCall")
    #expect(records[2]["method"] as? String == "/no.Such/\"\\\u{7}")
    for secret in [TestGateway.partnerKey, TestGateway.kioskKey] {
      #expect(!lines.contains { $0.contains(secret) })
    }
  }

  @Test("calls are sampled evenly", arguments: [0, 0.01, 0.3, 0.5, 1])
  func sampling(_ share: Double) {
    let sampler = Sampler(share: share)
    let taken = (0..<10_000).count { _ in sampler.takes() }
    #expect(abs(Double(taken) - share * 10_000) <= 1)
  }

  @Test("successes can be omitted while failures are logged")
  func successesOff() async throws {
    let gateway = try TestGateway(
      try InProcessChannel(
        Dispatcher(router: Router(services: []), handlers: [AnyBackend()])),
      accessLog: AccessLogSetting(successShare: 0, failureShare: 1))
    let edge = try gateway.edge()
    for _ in 0..<10 { _ = try await edge.outcome(Self.path, TestCaller.partner.metadata) }
    _ = try await edge.outcome(Self.path)
    try await eventually { !gateway.lines.value.isEmpty }
    #expect(gateway.lines.value.count == 1)
  }
}
