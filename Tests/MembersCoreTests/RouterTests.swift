import Crypto
import Foundation
import GRPCHealthV1
import Logging
import MembersV1
import RPC
import RPCInProcess
import ServiceKit
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("The inner link")
struct RouterTests {
  private let signer: CallerTokenSigner
  private let verifier: CallerTokenVerifier

  init() throws {
    let key = Curve25519.Signing.PrivateKey()
    signer = try CallerTokenSigner(keyID: "gateway-1", seed: Array(key.rawRepresentation))
    verifier = try CallerTokenVerifier(
      audience: "members", publicKeys: ["gateway-1": Array(key.publicKey.rawRepresentation)])
  }

  private func channel(_ harness: Harness, from workload: String?) throws -> InProcessChannel {
    let health = HealthRegistry()
    health.set("", .serving)
    let router = try harness.service.router(
      health: health, verifier: verifier, logger: Logger(label: "test"))
    let uris = workload.map { ["spiffe://yijia/\($0)"] } ?? []
    return InProcessChannel(
      Dispatcher(router: router),
      peer: Peer(address: "in-process", certificateURIs: uris, isTLS: true))
  }

  private func options(_ caller: Caller, audience: String = "members") throws -> CallOptions {
    var options = CallOptions()
    options.metadata.add(callerTokenMetadata, try signer.token(for: caller, audience: audience))
    options.metadata.add("accept-language", "en")
    return options
  }

  @Test("a token is accepted from the gateway only, and for this service only")
  func tokens() async throws {
    try await Harness.run { harness in
      let gateway = MembersServiceClient(try channel(harness, from: "gateway"))
      let list = ListOrganizationsRequest()
      let administrator = try options(.administrator)
      _ = try await gateway.listOrganizations(list, options: administrator)
      let stations = MembersServiceClient(try channel(harness, from: "stations"))
      let nobody = MembersServiceClient(try channel(harness, from: nil))
      let foreign = try options(.administrator, audience: "stations")
      #expect(
        await code { try await stations.listOrganizations(list, options: administrator) }
          == .permissionDenied)
      #expect(
        await code { try await nobody.listOrganizations(list, options: administrator) }
          == .unauthenticated)
      #expect(
        await code { try await gateway.listOrganizations(list, options: foreign) }
          == .unauthenticated)
    }
  }

  @Test("each method accepts the callers of its policy")
  func policies() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let gateway = MembersServiceClient(try channel(harness, from: "gateway"))
      let stations = MembersServiceClient(try channel(harness, from: "stations"))
      let clerk = try options(.staff("organizations/\(hexID(1))", role: .clerk))
      let partner = try options(.partner())
      let kiosk = try options(Caller(kind: .kiosk, subject: "kiosks/\(hexID(1))"))
      let codes = ResolveMemberCodesRequest()
      _ = try await stations.resolveMemberCodes(codes)
      #expect(
        await code { try await gateway.resolveMemberCodes(codes, options: partner) }
          == .permissionDenied)
      #expect(
        await code { try await gateway.listMembers(ListMembersRequest(), options: partner) }
          == .permissionDenied)
      #expect(
        await code { try await gateway.revealMember(RevealMemberRequest(), options: clerk) }
          == .permissionDenied)
      var submit = SubmitEnrollmentRequest()
      submit.requestID = UUID().uuidString
      submit.application = Applicant.application(1)
      #expect(
        await code { try await gateway.submitEnrollment(submit, options: kiosk) }
          == .permissionDenied)
      let enrolled = try await gateway.submitEnrollment(submit, options: partner)
      #expect(enrolled.enrollment?.state == .received)
    }
  }

  @Test("services check health over it; a failure has its details")
  func healthAndDetails() async throws {
    try await Harness.run { harness in
      let health = HealthClient(try channel(harness, from: "gateway"))
      #expect(try await health.check(HealthCheckRequest()).status == .serving)
      let gateway = MembersServiceClient(try channel(harness, from: "gateway"))
      do {
        _ = try await gateway.submitEnrollment(
          SubmitEnrollmentRequest(), options: try options(.partner()))
        Issue.record("an empty application was taken")
      } catch let error as RPCError {
        #expect(error.code == .invalidArgument)
        #expect(error.message.contains("wrong field"))
        #expect(!error.details.isEmpty)
      }
    }
  }

  private func code<Result>(_ call: () async throws -> Result) async -> RPCError.Code? {
    do {
      _ = try await call()
      return nil
    } catch {
      return (error as? RPCError)?.code
    }
  }
}
