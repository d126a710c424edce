import Foundation
import GRPCTesting
import GatewayV1
import GoogleProtobuf
import RPC
import ServiceKit
import Storage
import TestStores
import Testing

@testable import GatewayCore

@Suite("Partners and their keys")
struct PartnerKeyTests {
  @Test("a key works at once, and is not in the store", arguments: Engine.allCases)
  func made(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let partner = try await world.partner("货运平台")
      #expect(partner.state == .active)
      let (key, secret) = try await world.key(partner)
      #expect(secret.hasPrefix(key.hint) && secret.utf8.count == 68)
      #expect(try await world.reason(secret) == nil)
      let token = world.probe.metadata.value[binary: "yijia-caller-bin"]
      #expect(token != nil)
      for bytes in try await world.stores.bytes(of: world.database) {
        #expect(bytes.range(of: Data(secret.utf8)) == nil)
        #expect(bytes.range(of: Data(secret.utf8.dropFirst(16))) == nil)
      }
    }
  }

  @Test("a revoked key is refused at once and permanently", arguments: Engine.allCases)
  func revoked(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let (key, secret) = try await world.key(try await world.partner())
      #expect(try await world.reason(secret) == nil)
      try await world.revoke(key)
      #expect(try await world.reason(secret) == "CALLER_UNPROVEN")
      try await world.revoke(key)
      #expect(try await world.reason(secret) == "CALLER_UNPROVEN")
    }
  }

  @Test(
    "a stream ends when its key is revoked, by another gateway as well", arguments: Engine.allCases)
  func streamEnds(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let (key, secret) = try await world.key(try await world.partner())
      try await world.replica { _, other in
        for edge in [world.edge, other] {
          #expect(try await edge.outcome(AccountsWorld.echoPath, AccountsWorld.key(secret)) == nil)
        }
        let calls = try await [world.edge, other].asyncMap { edge in
          var options = CallOptions()
          options.metadata = AccountsWorld.key(secret)
          let call = try await TestServiceClient(edge).fullDuplexCall(options: options)
          try await call.send(StreamingOutputCallRequest())
          return call
        }
        var responses = calls.map { $0.responses.makeAsyncIterator() }
        for index in responses.indices { _ = try await responses[index].next() }
        try await world.revoke(key)
        for index in responses.indices {
          let error = await #expect(throws: RPCError.self) { _ = try await responses[index].next() }
          #expect(error?.gatewayReason == "CALLER_UNPROVEN")
        }
        await world.probe.cancelled.reaches(2)
        let refused = try await other.outcome(AccountsWorld.echoPath, AccountsWorld.key(secret))
        #expect(refused?.code == .unauthenticated)
      }
    }
  }

  @Test("a disabled partner's keys are refused until it is enabled", arguments: Engine.allCases)
  func disabled(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let partner = try await world.partner()
      let (_, secret) = try await world.key(partner)
      #expect(try await world.reason(secret) == nil)
      var disable = DisablePartnerRequest()
      disable.requestID = AccountsWorld.newRequestID()
      disable.name = partner.name
      disable.reason = "contract ended"
      let state = try await world.accounts.disablePartner(disable, options: AccountsWorld.root)
      #expect(state.partner?.state == .disabled)
      #expect(try await world.reason(secret) == "CALLER_UNPROVEN")
      var enable = EnablePartnerRequest()
      enable.requestID = AccountsWorld.newRequestID()
      enable.name = partner.name
      enable.reason = "renewed"
      _ = try await world.accounts.enablePartner(enable, options: AccountsWorld.root)
      #expect(try await world.reason(secret) == nil)
    }
  }

  @Test("a key expires, and its streams end with it", arguments: Engine.allCases)
  func expires(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let end = world.now.value.addingTimeInterval(60)
      let (_, secret) = try await world.key(try await world.partner(), expires: end)
      var options = CallOptions()
      options.metadata = AccountsWorld.key(secret)
      let call = try await TestServiceClient(world.edge).fullDuplexCall(options: options)
      try await call.send(StreamingOutputCallRequest())
      var responses = call.responses.makeAsyncIterator()
      _ = try await responses.next()
      world.pass(60)
      #expect(try await world.reason(secret) == "CREDENTIAL_EXPIRED")
      try await world.store.directory.settle()
      let error = await #expect(throws: RPCError.self) { _ = try await responses.next() }
      #expect(error?.code == .unauthenticated)
    }
  }

  @Test("a key grants what both it and its partner may call", arguments: Engine.allCases)
  func scopes(_ engine: Engine) async throws {
    let get = "/yijia.members.v1.MembersService/GetEnrollment"
    let list = "/yijia.members.v1.MembersService/ListEnrollments"
    let submit = "/yijia.members.v1.MembersService/SubmitEnrollment"
    try await AccountsWorld.with(engine) { world in
      let partner = try await world.partner(methods: [get, list])
      let (_, wide) = try await world.key(partner)
      let (_, narrow) = try await world.key(partner, methods: [list, submit])
      let (_, empty) = try await world.key(partner, methods: [submit])
      for (secret, granted) in [(wide, [get, list]), (narrow, [list]), (empty, [])] {
        for path in [get, list, submit] {
          let error = try await world.edge.outcome(path, AccountsWorld.key(secret))
          let isRefused = error?.gatewayReason == "METHOD_NOT_GRANTED"
          #expect(isRefused == !granted.contains(path), "\(path)")
        }
      }
      var update = UpdatePartnerRequest()
      update.requestID = AccountsWorld.newRequestID()
      update.partner = partner
      update.partner?.methods = [get]
      update.updateMask = .init()
      update.updateMask?.paths = ["methods"]
      let stale = await #expect(throws: RPCError.self) {
        _ = try await world.accounts.updatePartner(update, options: AccountsWorld.root)
      }
      #expect(stale?.gatewayReason == "ETAG_MISMATCH", "keys change a partner too")
      var read = GetPartnerRequest()
      read.name = partner.name
      let now = try await world.accounts.getPartner(read, options: AccountsWorld.root).partner
      update.partner?.etag = now?.etag ?? ""
      update.requestID = AccountsWorld.newRequestID()
      _ = try await world.accounts.updatePartner(update, options: AccountsWorld.root)
      let error = try await world.edge.outcome(list, AccountsWorld.key(wide))
      #expect(error?.gatewayReason == "METHOD_NOT_GRANTED")
    }
  }

  @Test(
    "a rotated key is valid beside the new one until the overlap ends", arguments: Engine.allCases)
  func rotates(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let (key, old) = try await world.key(try await world.partner())
      var rotate = RotatePartnerKeyRequest()
      rotate.requestID = AccountsWorld.newRequestID()
      rotate.name = key.name
      rotate.overlap = .init()
      rotate.overlap?.seconds = 3_600
      let first = try await world.accounts.rotatePartnerKey(rotate, options: AccountsWorld.root)
      #expect(first.replacedKey?.name == key.name && first.key?.name != key.name)
      for secret in [old, first.secret] { #expect(try await world.reason(secret) == nil) }
      let again = try await world.accounts.rotatePartnerKey(rotate, options: AccountsWorld.root)
      #expect(again.secret == first.secret, "a retry shows the same key")
      world.pass(3_599)
      #expect(try await world.reason(old) == nil)
      world.pass(1)
      #expect(try await world.reason(old) == "CREDENTIAL_EXPIRED")
      #expect(try await world.reason(first.secret) == nil)
      rotate.requestID = AccountsWorld.newRequestID()
      let error = await #expect(throws: RPCError.self) {
        _ = try await world.accounts.rotatePartnerKey(rotate, options: AccountsWorld.root)
      }
      #expect(error?.gatewayReason == "KEY_ROTATED")
    }
  }

  @Test("a rotated key's successor has its lifetime, unless an end is stated")
  func lifetime() async throws {
    try await AccountsWorld.with(.sqlite) { world in
      let partner = try await world.partner()
      for (days, stated, expected) in [
        (30, nil, 40), (nil, nil, nil), (30, 20, 20), (nil, 20, 20),
      ] as [(Int?, Int?, Int?)] {
        let start = world.now.value
        func date(_ days: Int?) -> Date? { days.map { start + Double($0) * 86_400 } }
        let (key, _) = try await world.key(partner, expires: date(days))
        var rotate = RotatePartnerKeyRequest()
        rotate.requestID = AccountsWorld.newRequestID()
        rotate.name = key.name
        rotate.expireTime = date(stated).map { .init(microseconds: $0.microseconds) }
        world.pass(10 * 86_400)
        let made = try await world.accounts.rotatePartnerKey(rotate, options: AccountsWorld.root)
        #expect(made.key?.expireTime?.microseconds == date(expected)?.microseconds)
      }
    }
  }

  @Test("among concurrent rotations one succeeds", arguments: Engine.allCases)
  func rotationsAtOnce(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let partner = try await world.partner()
      let (key, _) = try await world.key(partner)
      let reasons = await withTaskGroup(of: String?.self) { group in
        for _ in 0..<6 {
          group.addTask {
            var rotate = RotatePartnerKeyRequest()
            rotate.requestID = AccountsWorld.newRequestID()
            rotate.name = key.name
            do {
              _ = try await world.accounts.rotatePartnerKey(rotate, options: AccountsWorld.root)
              return nil
            } catch {
              return (error as? RPCError)?.gatewayReason ?? "\(error)"
            }
          }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(reasons.filter { $0 == nil }.count == 1)
      #expect(reasons.compactMap { $0 }.allSatisfy { $0 == "KEY_ROTATED" }, "\(reasons)")
    }
  }

  @Test(
    "one request id creates one key, however often and concurrently it is used",
    arguments: Engine.allCases)
  func once(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let partner = try await world.partner()
      let request = world.keyRequest(partner, requestID: AccountsWorld.requestID)
      let secrets = try await withThrowingTaskGroup(of: String.self) { group in
        for _ in 0..<5 {
          group.addTask {
            try await world.accounts.createPartnerKey(request, options: AccountsWorld.root).secret
          }
        }
        return try await group.reduce(into: Set<String>()) { $0.insert($1) }
      }
      #expect(secrets.count == 1)
      var list = ListPartnerKeysRequest()
      list.partner = partner.name
      let keys = try await world.accounts.listPartnerKeys(list, options: AccountsWorld.root).keys
      #expect(keys.count == 1)
      var other = request
      other.key?.displayName = "another"
      let error = await #expect(throws: RPCError.self) {
        _ = try await world.accounts.createPartnerKey(other, options: AccountsWorld.root)
      }
      #expect(error?.gatewayReason == "REQUEST_ID_REUSED")
    }
  }

  @Test(
    "a partner has at most twenty valid keys, also when created concurrently",
    arguments: Engine.allCases)
  func bounded(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let partner = try await world.partner()
      for _ in 0..<18 { _ = try await world.key(partner) }
      let made = await withTaskGroup(of: PartnerKey?.self) { group in
        for _ in 0..<6 { group.addTask { try? await world.key(partner).key } }
        return await group.reduce(into: []) { $0.append($1) }
      }.compactMap { $0 }
      #expect(made.count == 2)
      let error = await #expect(throws: RPCError.self) { _ = try await world.key(partner) }
      #expect(error?.gatewayReason == "TOO_MANY_KEYS")
      try await world.revoke(try #require(made.first))
      _ = try await world.key(partner)
    }
  }

  @Test("lists have a stable order while rows are added", arguments: Engine.allCases)
  func pages(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      var made: Set<String> = []
      for index in 0..<5 { made.insert(try await world.partner("平台\(index)").name) }
      var (request, seen) = (ListPartnersRequest(), [String]())
      request.pageSize = 2
      repeat {
        let page = try await world.accounts.listPartners(request, options: AccountsWorld.root)
        seen += page.partners.map(\.name)
        request.pageToken = page.nextPageToken
      } while !request.pageToken.isEmpty
      #expect(seen == made.sorted())
      request.pageToken = "forged"
      let error = await #expect(throws: RPCError.self) {
        _ = try await world.accounts.listPartners(request, options: AccountsWorld.root)
      }
      #expect(error?.gatewayReason == "INVALID_PAGE_TOKEN")
    }
  }

  @Test("every change is in the audit log, and the chain is intact", arguments: Engine.allCases)
  func audited(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let (key, secret) = try await world.key(try await world.partner())
      try await world.revoke(key)
      let report = try await world.database.verifyAudit()
      #expect(report.problem == nil)
      #expect(report.rows == 3)
      for bytes in try await world.stores.bytes(of: world.database) {
        #expect(bytes.range(of: Data(secret.utf8)) == nil)
      }
    }
  }
}

extension Array {
  fileprivate func asyncMap<Value>(_ body: (Element) async throws -> Value) async throws -> [Value]
  {
    var values: [Value] = []
    for element in self { values.append(try await body(element)) }
    return values
  }
}
