import Foundation
import RPC
import RPCInProcess
import ServiceKit
import Testing
import YijiaTypeV1

@testable import GatewayCore

@Suite("Policy matrix")
struct PolicyMatrixTests {
  /// The methods that partners may call, repeated from the contracts so that a slip shows.
  private static let partnerMethods: Set<String> = [
    "/yijia.members.v1.MembersService/GetRegion",
    "/yijia.members.v1.MembersService/ListRegions",
    "/yijia.members.v1.MembersService/ResolveOrganizationCode",
    "/yijia.members.v1.MembersService/SubmitEnrollment",
    "/yijia.members.v1.MembersService/EnrollMembers",
    "/yijia.members.v1.MembersService/GetEnrollment",
    "/yijia.members.v1.MembersService/ListEnrollments",
    "/yijia.members.v1.MembersService/WithdrawEnrollment",
    "/yijia.members.v1.MembersService/WatchMemberEvents",
    "/yijia.stations.v1.StationsService/GetPoint",
    "/yijia.stations.v1.StationsService/FindNearbyPoints",
  ]
  private static let kioskMethods: Set<String> = [
    "/yijia.stations.v1.StationsService/GetPoint",
    "/yijia.stations.v1.StationsService/FindNearbyPoints",
    "/yijia.stations.v1.StationsService/ReportVisits",
    "/yijia.stations.v1.StationsService/WatchOccupancy",
  ]
  private static let paths = Contract.all.flatMap { $0.methods.map(\.path) }

  /// The reason with which a caller should be refused; nil where the call is allowed.
  private static func refusal(of caller: TestCaller, _ policy: Policy, _ path: String) -> String? {
    func staff(_ role: StaffRole) -> String? {
      if !policy.callers.contains(.staff) { return "CALLER_KIND" }
      return policy.staffRole != .unspecified && policy.staffRole.rawValue <= role.rawValue
        ? nil : "ROLE"
    }
    if policy.callers == [.anonymous] { return nil }
    return switch caller {
    case .nobody: "CALLER_UNPROVEN"
    case .partner, .signedPartner, .certifiedPartner:
      partnerMethods.contains(path) ? nil : "CALLER_KIND"
    case .kiosk: kioskMethods.contains(path) ? nil : "CALLER_KIND"
    case .viewer: staff(.viewer)
    case .clerk: staff(.clerk)
    case .administrator, .signedAdministrator: staff(.administrator)
    case .member: policy.callers.contains(.member) ? nil : "CALLER_KIND"
    }
  }

  @Test(
    "every method answers every kind of caller according to its policy",
    arguments: TestCaller.allCases)
  func matrix(_ caller: TestCaller) async throws {
    let backend = AnyBackend()
    let inner = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [backend]))
    let edge = try TestGateway(inner).edge(peer: caller.peer)
    let policies = try PolicyTable(descriptorSets: Contract.all.map(\.descriptorSet))
    for path in Self.paths {
      let policy = try #require(policies[path], "\(path) has no policy")
      let expected = Self.refusal(of: caller, policy, path)
      let error = try await edge.outcome(path, caller.metadata)
      #expect(error?.gatewayReason == expected, "\(path) for \(caller)")
      #expect((error == nil) == (expected == nil), "\(path) for \(caller): \(error as Any)")
      switch expected {
      case "CALLER_UNPROVEN": #expect(error?.code == .unauthenticated)
      case "CALLER_KIND", "ROLE": #expect(error?.code == .permissionDenied)
      default: break
      }
    }
    let allowed = Self.paths.filter { path in
      policies[path].map { Self.refusal(of: caller, $0, path) == nil } ?? false
    }
    #expect(backend.heads.value.map(\.path) == allowed, "only what is allowed reaches a service")
  }

  @Test("who may call what, with which role and which limits, is as it was reviewed")
  func reviewed() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../Fixtures/policy.txt").standardized
    let reviewed = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
    let table = try PolicyMatrix(GatewayConfiguration()).text.split(separator: "\n")
    #expect(
      table.difference(from: reviewed).isEmpty,
      "review each line that differs, then: yijia-gateway --policy > Tests/Fixtures/policy.txt")
  }

  @Test("methods for services only are denied to every external caller")
  func servicesOnly() throws {
    let table = try PolicyTable(descriptorSets: Contract.all.map(\.descriptorSet))
    let inner = Self.paths.filter { table[$0]?.callers == [.service] }
    #expect(inner.contains("/yijia.stations.v1.StationsService/WatchStationEvents"))
    #expect(inner.contains("/yijia.members.v1.MembersService/ResolveMemberCodes"))
    for path in inner {
      for kind in [CallerKind.partner, .kiosk, .staff, .member] {
        let caller = Caller(kind: kind, subject: "x/1", staffRole: .administrator)
        #expect(throws: CommonFailure.callerKind) { try table.authorize(caller, path: path) }
      }
    }
  }

  @Test(
    "an unknown method is UNIMPLEMENTED for every caller",
    arguments: [
      "/yijia.members.v1.MembersService/Nothing", "/no.Service/GetMember",
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/", "//", "/x",
      "yijia.members.v1.MembersService/GetMember",
      "/yijia.members.v1.MembersService/GetMember/", "/YIJIA.members.v1.MembersService/GetMember",
      "/grpc.testing.TestService/", "/grpc.testing.TestService/A/B",
    ])
  func unknown(_ path: String) async throws {
    let edge = try TestGateway(try InProcessChannel(services: [EchoService()])).edge()
    for caller in [TestCaller.nobody, .administrator] {
      let error = try await edge.outcome(path, caller.metadata)
      #expect(error?.code == .unimplemented)
      #expect(error?.gatewayReason == "METHOD_UNKNOWN")
    }
  }

  @Test("a partner's key covers only the methods that it is granted")
  func grants() async throws {
    let inner = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [AnyBackend()]))
    let edge = try TestGateway(inner).edge()
    let key: Metadata = ["x-api-key": .text(TestGateway.limitedKey)]
    #expect(try await edge.outcome("/yijia.members.v1.MembersService/GetEnrollment", key) == nil)
    let error = try await edge.outcome("/yijia.members.v1.MembersService/SubmitEnrollment", key)
    #expect(error?.code == .permissionDenied)
    #expect(error?.gatewayReason == "METHOD_NOT_GRANTED")
  }

  @Test("a contract with a method without a policy is refused at start")
  func incomplete() throws {
    let backend = Backend(
      name: "members", channel: try InProcessChannel(services: []), audience: nil)
    func table(_ methods: [MethodDescriptor]) throws -> RouteTable {
      let contract = Contract(audience: "members", methods: methods, descriptorSet: [])
      return try RouteTable(contracts: [contract], backends: ["members": backend])
    }
    _ = try table([])
    let error = #expect(throws: (any Error).self) {
      try table([MethodDescriptor(service: "a.B", name: "C", kind: .unary)])
    }
    #expect(
      error.map { "\($0)" }?.contains("/a.B/C") == true, "it names the method: \(error as Any)")
  }
}
