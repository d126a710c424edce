import GatewayV1
import GoogleProtobuf
import RPC
import ServiceKit
import Storage
import TestStores
import Testing
import YijiaTypeV1

@testable import GatewayCore

@Suite("Changes of staff accounts and the end of their sessions")
struct StaffChangeTests {
  private static let members = "/yijia.members.v1.MembersService/ListMembers"
  private static let reveal = "/yijia.members.v1.MembersService/RevealMember"

  private static func update(_ name: String, _ paths: [String]) -> UpdateStaffRequest {
    var request = UpdateStaffRequest()
    request.requestID = AccountsWorld.newRequestID()
    request.reason = "another desk"
    request.staff = StaffAccount()
    request.staff?.name = name
    request.staff?.displayName = "张三"
    request.staff?.role = .viewer
    request.staff?.organization = "organizations/\(String(repeating: "4", count: 32))"
    request.updateMask = FieldMask()
    request.updateMask?.paths = paths
    return request
  }

  @Test("a new role or organization takes effect and ends all sessions", arguments: Engine.allCases)
  func updates(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let token = try await world.settled("zhang.san", StaffTests.password)
      #expect(try await world.call(Self.members, token) == nil)
      let listed = try await world.accounts.listStaff(
        ListStaffRequest(), options: AccountsWorld.root)
      let name = listed.staff.first { $0.userName == "zhang.san" }?.name ?? ""
      let renamed = try await world.accounts.updateStaff(
        Self.update(name, ["display_name"]), options: AccountsWorld.root)
      #expect(renamed.staff?.displayName == "张三")
      #expect(renamed.staff?.role == .clerk, "only what the mask names")
      #expect(try await world.call(Self.members, token) == nil, "a name ends no session")
      let moved = try await world.accounts.updateStaff(
        Self.update(name, ["role", "organization"]), options: AccountsWorld.root)
      #expect(moved.staff?.role == .viewer)
      #expect(moved.staff?.organization.hasSuffix("4444") == true)
      #expect(try await world.call(Self.members, token) == "CALLER_UNPROVEN")
      let again = try await world.signIn("zhang.san", StaffTests.password).token
      #expect(try await world.call(Self.reveal, again) == "ROLE")
    }
  }

  @Test("wrong changes are refused with the field")
  func refusals() async throws {
    try await AccountsWorld.with(.sqlite) { world in
      let name = try await world.staff("li.si").staff?.name ?? ""
      var whole = Self.update(name, ["organization"])
      whole.staff?.organization = ""
      for request in [whole, Self.update(name, []), Self.update(name, ["user_name"])] {
        let error = await #expect(throws: RPCError.self) {
          try await world.accounts.updateStaff(request, options: AccountsWorld.root)
        }
        #expect(error?.code == .invalidArgument)
      }
      let nobody = await #expect(throws: RPCError.self) {
        try await world.accounts.updateStaff(
          Self.update("staff/\(String(repeating: "0", count: 32))", ["role"]),
          options: AccountsWorld.root)
      }
      #expect(nobody?.gatewayReason == "STAFF_NOT_FOUND")
    }
  }

  @Test("an administrator lists and ends the sessions of others", arguments: Engine.allCases)
  func sessions(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let first = try await world.settled("zhang.san", StaffTests.password)
      let second = try await world.signIn("zhang.san", StaffTests.password).token
      let listed = try await world.accounts.listStaff(
        ListStaffRequest(), options: AccountsWorld.root)
      let name = listed.staff.first { $0.userName == "zhang.san" }?.name ?? ""
      var list = ListStaffSessionsRequest()
      list.name = name
      func held() async throws -> [Session] {
        try await world.accounts.listStaffSessions(list, options: AccountsWorld.root).sessions
      }
      #expect(try await held().count == 2)
      var end = EndStaffSessionsRequest()
      end.requestID = AccountsWorld.newRequestID()
      end.name = name
      end.reason = "lost a laptop"
      end.session = try await held().last?.name ?? ""
      _ = try await world.accounts.endStaffSessions(end, options: AccountsWorld.root)
      #expect(try await held().count == 1)
      let outcomes = [
        try await world.call(Self.members, first), try await world.call(Self.members, second),
      ]
      #expect(outcomes.compactMap { $0 } == ["CALLER_UNPROVEN"], "one of them ended")
      end.requestID = AccountsWorld.newRequestID()
      let gone = await #expect(throws: RPCError.self) {
        try await world.accounts.endStaffSessions(end, options: AccountsWorld.root)
      }
      #expect(gone?.gatewayReason == "SESSION_NOT_FOUND")
      end.requestID = AccountsWorld.newRequestID()
      end.session = ""
      _ = try await world.accounts.endStaffSessions(end, options: AccountsWorld.root)
      #expect(try await held().isEmpty)
      for token in [first, second] {
        #expect(try await world.call(Self.members, token) == "CALLER_UNPROVEN")
      }
    }
  }
}
