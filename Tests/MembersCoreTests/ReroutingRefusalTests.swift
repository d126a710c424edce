import Foundation
import MembersV1
import RPC
import RPCInProcess
import ServiceKit
import Synchronization
import Testing
import YijiaTypeV1

@testable import MembersCore

@Suite("A refused batch of re-routings")
struct ReroutingRefusalTests {
  /// Keeps the failure of the last call.
  private final class Kept: ServerInterceptor {
    let failure = Mutex<(any ServiceFailure)?>(nil)

    func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
      do {
        try await next()
      } catch let error as any ServiceFailure {
        failure.withLock { $0 = error }
        throw error
      }
    }
  }

  @Test("it names the member because of whom nobody is moved")
  func named() async throws {
    try await Harness.run { harness in
      let names = try await harness.plantTree(
        Tree.rows.filter { $0.externalID != "freight-union" })
      var members: [String] = []
      for number in 1...3 {
        let application = Applicant.application(number) {
          guard number == 2 else { return }
          ($0.labourRelation, $0.employerCreditCode) = (.clear, Tree.employerCreditCode)
        }
        members.append(try await harness.submit(application, as: .administrator).member)
      }
      _ = try await harness.importing(Tree.rows.filter { $0.externalID == "freight-union" })
      let kept = Kept()
      // The employer's union is not below the township.
      let clerk = Caller.staff(names["quegou"] ?? "", role: .clerk)
      let client = MembersServiceClient(
        try InProcessChannel(
          services: [harness.service], interceptors: [kept, StatedCaller(caller: clerk)]))
      var apply = ApplyReroutingRequest()
      (apply.requestID, apply.members) = (UUID().uuidString, members)
      await #expect(throws: RPCError.self) { try await client.applyRerouting(apply) }
      let failure = try #require(kept.failure.withLock { $0 })
      #expect(failure.code == .permissionDenied)
      #expect(failure.reason == "OUT_OF_SCOPE")
      #expect(failure.metadata["member"] == members[1])
      let union = try await harness.named("freight-union")
      #expect(failure.metadata["to_organization"] == union)
      let refused = try await harness.members().first { $0.name == members[1] }
      let number = try #require(refused).memberNumber
      #expect(failure.text.en.contains(number) && failure.text.zh.contains(number))
      apply.members.remove(at: 1)
      #expect(try await client.applyRerouting(apply).reroutings.isEmpty)
    }
  }
}
