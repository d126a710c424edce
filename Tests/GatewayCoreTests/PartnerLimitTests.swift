import Foundation
import GatewayV1
import GoogleType
import RPC
import ServiceKit
import TestStores
import TestWaiting
import Testing

@testable import GatewayCore

@Suite("Limits of the store's partners")
struct PartnerLimitTests {
  /// The path under which an opaque service's calls are counted.
  private static let path = "/grpc.testing.TestService"

  private static func set(
    _ limits: [PartnerLimit], of partner: Partner, in world: AccountsWorld
  ) async throws -> Partner {
    var read = GetPartnerRequest()
    read.name = partner.name
    let now = try await world.accounts.getPartner(read, options: AccountsWorld.root).partner
    var request = SetPartnerLimitsRequest()
    request.requestID = AccountsWorld.newRequestID()
    request.name = partner.name
    request.etag = now?.etag ?? ""
    request.limits = limits
    request.reason = "contract"
    let done = try await world.accounts.setPartnerLimits(request, options: AccountsWorld.root)
    return done.partner ?? partner
  }

  private static func limit(_ change: (inout PartnerLimit) -> Void) -> PartnerLimit {
    var limit = PartnerLimit()
    change(&limit)
    return limit
  }

  @Test("every field of a limit has its range in Chinese")
  func ranges() {
    let fields = [
      "calls_per_second", "burst", "streams_max", "message_bytes_max", "calls_per_day", "methods",
    ]
    let texts = fields.map { AccountsService.rangeText(of: "limits[0].\($0)") }
    #expect(texts.allSatisfy { $0.hasPrefix("应") })
    #expect(texts[0].contains("0.001 至 1000000"))
  }

  @Test(
    "limits apply from the next call on in every gateway, and so does their removal",
    arguments: Engine.allCases)
  func limits(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let partner = try await world.partner()
      let (_, secret) = try await world.key(partner)
      #expect(try await world.reason(secret) == nil)
      try await world.replica { _, other in
        func elsewhere() async throws -> String? {
          try await other.outcome(AccountsWorld.echoPath, AccountsWorld.key(secret))?.gatewayReason
        }
        #expect(try await elsewhere() == nil)
        let slow = Self.limit {
          $0.callsPerSecond = 0.001
          $0.burst = 1
        }
        let set = try await Self.set([slow], of: partner, in: world)
        #expect(set.limits == [slow])
        #expect(try await world.reason(secret) == nil, "the burst")
        #expect(try await world.reason(secret) == "RATE_EXCEEDED")
        // The other gateway is notified by the feed, and counts separately.
        try await eventually { try await elsewhere() != nil }
        #expect(try await elsewhere() == "RATE_EXCEEDED")
        let lifted = try await Self.set([], of: partner, in: world)
        #expect(lifted.limits.isEmpty)
        #expect(try await world.reason(secret) == nil)
        try await eventually { try await elsewhere() == nil }
      }
    }
  }

  @Test("a daily quota is the partner's own, and its use is reported")
  func usage() async throws {
    try await AccountsWorld.with(.sqlite) { world in
      let partner = try await world.partner()
      let (_, secret) = try await world.key(partner)
      let three = Self.limit {
        $0.methods = [Self.path]
        $0.callsPerDay = 3
      }
      _ = try await Self.set([three], of: partner, in: world)
      for _ in 0..<3 { #expect(try await world.reason(secret) == nil) }
      #expect(try await world.reason(secret) == "QUOTA_EXCEEDED")
      var request = GetUsageRequest()
      request.name = partner.name
      var usage = try await world.accounts.getUsage(request, options: AccountsWorld.root)
      #expect(usage.methods.map(\.method) == [Self.path])
      #expect(usage.methods.map(\.callsTaken) == [3] && usage.methods.map(\.callsPerDay) == [3])
      let today = try #require(usage.date)
      #expect("\(today.year)-\(today.month)-\(today.day)" == "2026-11-21")
      request.date = today
      request.date?.day = 20
      usage = try await world.accounts.getUsage(request, options: AccountsWorld.root)
      #expect(usage.methods.isEmpty)
      request.date?.day = 31
      let wrong = await #expect(throws: RPCError.self) {
        _ = try await world.accounts.getUsage(request, options: AccountsWorld.root)
      }
      #expect(wrong?.gatewayReason == "INVALID_FIELDS")
      // A partner of the configuration has no account, but its use is reported too.
      request.date = nil
      request.name = "partners/" + String(repeating: "a", count: 32)
      #expect(
        try await world.accounts.getUsage(request, options: AccountsWorld.root).methods.isEmpty)
      request.name = "partners/" + String(repeating: "f", count: 32)
      let missing = await #expect(throws: RPCError.self) {
        _ = try await world.accounts.getUsage(request, options: AccountsWorld.root)
      }
      #expect(missing?.gatewayReason == "PARTNER_NOT_FOUND")
    }
  }

  @Test("invalid limits are refused by name, and so is a stale etag")
  func wrong() async throws {
    try await AccountsWorld.with(.sqlite) { world in
      let partner = try await world.partner()
      let bad = [
        Self.limit { $0.callsPerSecond = -1 }, Self.limit { $0.methods = ["/a.B/C"] },
        Self.limit {
          $0.methods = ["/yijia.members.v1.MembersService/GetEnrollment"]
          $0.burst = 0
        },
      ]
      let error = await #expect(throws: RPCError.self) {
        _ = try await Self.set(bad, of: partner, in: world)
      }
      #expect(error?.gatewayReason == "INVALID_FIELDS")
      for field in ["limits[0].calls_per_second", "limits[1].methods", "limits[2].burst"] {
        #expect(error?.violations.contains(field) == true, "\(field)")
      }
      var request = SetPartnerLimitsRequest()
      request.requestID = AccountsWorld.newRequestID()
      request.name = partner.name
      request.etag = "7"
      request.reason = "x"
      let stale = await #expect(throws: RPCError.self) {
        _ = try await world.accounts.setPartnerLimits(request, options: AccountsWorld.root)
      }
      #expect(stale?.gatewayReason == "ETAG_MISMATCH")
    }
  }
}
