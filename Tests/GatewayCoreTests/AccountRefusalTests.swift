import GatewayV1
import RPC
import RPCInProcess
import TestStores
import Testing

@testable import GatewayCore

@Suite("What accounts refuse")
struct AccountRefusalTests {
  @Test("only administrators of the whole tree manage accounts", arguments: Engine.allCases)
  func scope(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let (_, secret) = try await world.key(try await world.partner())
      let callers: [(String?, Metadata)] = [
        ("CALLER_UNPROVEN", [:]), ("CALLER_KIND", AccountsWorld.key(secret)),
        ("CALLER_KIND", TestCaller.kiosk.metadata), ("ROLE", TestCaller.viewer.metadata),
        ("ROLE", TestCaller.clerk.metadata), ("OUT_OF_SCOPE", TestCaller.administrator.metadata),
        (nil, AccountsWorld.root.metadata),
      ]
      for (reason, metadata) in callers {
        let error = try await world.edge.outcome(
          "/yijia.gateway.v1.AccountsService/ListPartners", metadata)
        #expect(error?.gatewayReason == reason)
      }
    }
  }

  @Test("every invalid field is reported at once", arguments: Engine.allCases)
  func fields(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      var request = CreatePartnerRequest()
      request.requestID = "1"
      request.partner = Partner()
      request.partner?.displayName = String(repeating: "长", count: 101)
      request.partner?.methods = ["/no.Service/Method", "/yijia.members.v1.MembersService/\n"]
      let error = await #expect(throws: RPCError.self) {
        _ = try await world.accounts.createPartner(request, options: AccountsWorld.root)
      }
      #expect(
        Set(error?.violations ?? []) == [
          "request_id", "partner.display_name", "partner.methods[0]", "partner.methods[1]",
        ])
      var key = world.keyRequest(Partner(), expires: world.now.value)
      key.key?.displayName = "tab\there"
      let wrong = await #expect(throws: RPCError.self) {
        _ = try await world.accounts.createPartnerKey(key, options: AccountsWorld.root)
      }
      #expect(Set(wrong?.violations ?? []) == ["partner", "key.display_name", "key.expire_time"])
    }
  }

  @Test("malformed and unknown names are refused", arguments: Engine.allCases)
  func unknown(_ engine: Engine) async throws {
    let id = String(repeating: "f", count: 32)
    let name = "partners/\(id)/keys/\(id)"
    try await AccountsWorld.with(engine) { world in
      var revoke = RevokePartnerKeyRequest()
      revoke.requestID = AccountsWorld.requestID
      revoke.reason = "x"
      for (text, reason) in [
        (name, "KEY_NOT_FOUND"), ("", "INVALID_FIELDS"), ("partners/1/keys/2", "INVALID_FIELDS"),
        (name + "/", "INVALID_FIELDS"), (name.uppercased(), "INVALID_FIELDS"),
      ] {
        revoke.name = text
        let error = await #expect(throws: RPCError.self) {
          _ = try await world.accounts.revokePartnerKey(revoke, options: AccountsWorld.root)
        }
        #expect(error?.gatewayReason == reason, "\(text)")
      }
    }
  }

  @Test("a partner's key is not accessible through another partner", arguments: Engine.allCases)
  func otherPartner(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let (key, secret) = try await world.key(try await world.partner())
      let other = try await world.partner("另一平台")
      var foreign = key
      foreign.name = other.name + "/keys/" + key.name.suffix(32)
      await #expect(throws: RPCError.self) { try await world.revoke(foreign) }
      #expect(try await world.reason(secret) == nil)
    }
  }

  @Test("malformed keys authenticate nobody", arguments: Engine.allCases)
  func hostile(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let (_, secret) = try await world.key(try await world.partner())
      let digits = String(repeating: "0", count: 64)
      for text in [
        "yjp_", "yjp_\(digits)", "yjp_\(digits)0", "yjp_" + String(repeating: "é", count: 32),
        "yjp_" + String(repeating: "'", count: 64), secret + " x", String(secret.dropLast()),
        secret.uppercased(), "yjp_" + secret, String(repeating: "yjp_", count: 60),
      ] {
        #expect(try await world.reason(text) == "CALLER_UNPROVEN", "\(text)")
      }
      #expect(try await world.reason(secret) == nil)
    }
  }

  @Test("without a store the gateway serves no accounts and accepts no stored keys")
  func noStore() async throws {
    let echo = try InProcessChannel(services: [EchoService()])
    let edge = try TestGateway(echo).edge()
    let key = AccountsWorld.key("yjp_" + String(repeating: "0", count: 64))
    let error = try await edge.outcome(AccountsWorld.echoPath, key)
    #expect(error?.gatewayReason == "CALLER_UNPROVEN")
  }
}
