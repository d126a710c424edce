import GoogleProtobuf
import Protobuf
import RPC
import ServiceKit
import Testing
import YijiaTypeV1

@Suite("Policy")
struct PolicyTests {
  private static let path = "/test.v1.TestService/Do"

  private func table(_ change: (inout Policy) -> Void) throws -> PolicyTable {
    var policy = Policy()
    change(&policy)
    var table = try PolicyTable(descriptorSets: [])
    table.set(policy, path: Self.path)
    return table
  }

  @Test("a method without a policy denies every kind of caller, and is refused at start")
  func denyByDefault() throws {
    let table = try PolicyTable(descriptorSets: [])
    for kind in CallerKind.allCases {
      let caller = Caller(kind: kind, subject: "x/1", staffRole: .administrator)
      #expect(throws: CommonFailure.callerKind) { try table.authorize(caller, path: Self.path) }
    }
    let method = MethodDescriptor(service: "test.v1.TestService", name: "Do", kind: .unary)
    #expect(throws: ConfigurationError.self) { try table.check([method]) }
  }

  @Test("only the listed kinds are allowed")
  func kinds() throws {
    let table = try table { $0.callers = [.partner] }
    #expect(throws: Never.self) {
      try table.authorize(Caller(kind: .partner, subject: "partners/1"), path: Self.path)
    }
    #expect(throws: CommonFailure.callerKind) {
      try table.authorize(Caller(kind: .kiosk, subject: "kiosks/1"), path: Self.path)
    }
  }

  @Test("staff are allowed from the stated role on; a staff policy without a role denies")
  func roles() throws {
    let clerks = try table {
      $0.callers = [.staff]
      $0.staffRole = .clerk
    }
    let unsaid = try table { $0.callers = [.staff] }
    for (role, passes) in [
      (StaffRole.unspecified, false), (.viewer, false), (.clerk, true), (.administrator, true),
    ] {
      let caller = Caller(kind: .staff, subject: "staff/1", staffRole: role)
      if passes {
        #expect(throws: Never.self) { try clerks.authorize(caller, path: Self.path) }
      } else {
        #expect(throws: CommonFailure.role) { try clerks.authorize(caller, path: Self.path) }
      }
      #expect(throws: CommonFailure.role) { try unsaid.authorize(caller, path: Self.path) }
    }
  }

  @Test("only the listed services are allowed")
  func services() throws {
    let table = try table {
      $0.callers = [.service]
      $0.services = ["stations"]
    }
    #expect(throws: Never.self) {
      try table.authorize(Caller(kind: .service, subject: "services/stations"), path: Self.path)
    }
    #expect(throws: CommonFailure.callerKind) {
      try table.authorize(Caller(kind: .service, subject: "services/gateway"), path: Self.path)
    }
  }
}
