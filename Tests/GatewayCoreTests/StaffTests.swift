import Foundation
import GRPCTesting
import GatewayV1
import RPC
import ServiceKit
import Storage
import TestStores
import Testing
import YijiaTypeV1

@testable import GatewayCore

@Suite("Staff accounts and their sessions")
struct StaffTests {
  private static let members = "/yijia.members.v1.MembersService/ListMembers"

  @Test(
    "a new user changes the temporary password first, and then works", arguments: Engine.allCases)
  func firstSignIn(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let made = try await world.staff("zhang.san", role: .clerk)
      let first = try await world.signIn("zhang.san", made.temporaryPassword)
      #expect(first.passwordTemporary)
      #expect(try await world.call(Self.members, first.token) == "PASSWORD_TEMPORARY")
      try await world.changePassword(first.token, made.temporaryPassword, Self.password)
      #expect(try await world.call(Self.members, first.token) == nil)
      let again = try await world.signIn("Zhang.San", Self.password)
      #expect(!again.passwordTemporary)
      #expect(again.role == .clerk && !again.displayName.isEmpty && !again.totpEnrolled)
      #expect(again.organization == made.staff?.organization)
      #expect(try await world.refusal("zhang.san", made.temporaryPassword) == "SIGN_IN_REFUSED")
      for bytes in try await world.stores.bytes(of: world.database) {
        for secret in [Self.password, made.temporaryPassword, first.token, again.token] {
          #expect(bytes.range(of: Data(secret.utf8)) == nil)
        }
      }
    }
  }

  static let password = "正确 horse battery"

  @Test(
    "a refusal does not reveal whether user, password or state was wrong",
    arguments: Engine.allCases)
  func neutral(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let made = try await world.staff("li.si")
      _ = try await world.staff("wang.wu")
      var disable = DisableStaffRequest()
      disable.requestID = AccountsWorld.newRequestID()
      disable.name = made.staff?.name ?? ""
      disable.reason = "left"
      _ = try await world.accounts.disableStaff(disable, options: AccountsWorld.root)
      for (user, password) in [
        ("li.si", made.temporaryPassword), ("li.si", "x"), ("wang.wu", "x"), ("nobody", "x"),
        ("", "x"), ("wang.wu", ""), ("wang.wu", String(repeating: "x", count: 600)),
        (String(repeating: "a", count: 65), "x"), ("' OR 1=1 --", "x"), ("wang.wu\u{0}", "x"),
      ] {
        #expect(try await world.refusal(user, password) == "SIGN_IN_REFUSED", "\(user)")
      }
    }
  }

  @Test("guesses are delayed, and nobody is locked out for long", arguments: Engine.allCases)
  func lockout(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let made = try await world.staff("zhao.liu")
      for user in ["zhao.liu", "nobody"] {
        for _ in 0..<5 {
          #expect(try await world.refusal(user, "wrong") == "SIGN_IN_REFUSED")
        }
        #expect(try await world.refusal(user, "wrong") == "SIGN_IN_DELAYED")
      }
      // During a delay the correct password is not checked either, and attempts do not extend it.
      for _ in 0..<20 {
        #expect(try await world.refusal("zhao.liu", made.temporaryPassword) == "SIGN_IN_DELAYED")
      }
      world.pass(1)
      _ = try await world.signIn("zhao.liu", made.temporaryPassword)
      #expect(try await world.refusal("zhao.liu", "wrong") == "SIGN_IN_REFUSED")
      var waited = 0.0
      for _ in 0..<200 {
        if try await world.refusal("zhao.liu", "wrong") == "SIGN_IN_DELAYED" {
          world.pass(1)
          waited += 1
        }
      }
      #expect(waited > 60)
      world.pass(60)
      _ = try await world.signIn("zhao.liu", made.temporaryPassword)
    }
  }

  @Test("concurrent guesses are counted one by one", arguments: Engine.allCases)
  func guessesAtOnce(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      _ = try await world.staff("sun.qi")
      let reasons = await withTaskGroup(of: String.self) { group in
        for _ in 0..<12 {
          group.addTask { (try? await world.refusal("sun.qi", "wrong")) ?? "?" }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(reasons.filter { $0 == "SIGN_IN_REFUSED" }.count == 5, "\(reasons)")
    }
  }

  @Test(
    "an authenticator is required once it is confirmed; a code is accepted once",
    arguments: Engine.allCases)
  func authenticator(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let token = try await world.settled("zhou.ba", Self.password)
      var enroll = EnrollTotpRequest()
      enroll.password = "wrong"
      let wrong = await #expect(throws: RPCError.self) {
        _ = try await world.sessions.enrollTotp(enroll, options: AccountsWorld.bearer(token))
      }
      #expect(wrong?.gatewayReason == "SIGN_IN_REFUSED")
      enroll.password = Self.password
      let made = try await world.sessions.enrollTotp(enroll, options: AccountsWorld.bearer(token))
      let app = OneTimePassword(secret: try #require(Self.base32(made.secret)))
      #expect(made.uri.contains("secret=\(made.secret)&"))
      _ = try await world.signIn("zhou.ba", Self.password)
      var confirm = ConfirmTotpRequest()
      confirm.totpCode = app.code(step: world.step)
      _ = try await world.sessions.confirmTotp(confirm, options: AccountsWorld.bearer(token))
      #expect(try await world.refusal("zhou.ba", Self.password) == "TOTP_REQUIRED")
      // The code that confirmed it is used up.
      let used = try await world.refusal("zhou.ba", Self.password, confirm.totpCode)
      #expect(used == "SIGN_IN_REFUSED")
      world.pass(30)
      let code = app.code(step: world.step)
      let outcomes = await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<3 {
          group.addTask { (try? await world.signIn("zhou.ba", Self.password, code)) != nil }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.filter { $0 }.count == 1, "one code, one session, however many ask at once")
      for bytes in try await world.stores.bytes(of: world.database) {
        #expect(bytes.range(of: Data(app.secret)) == nil)
      }
    }
  }

  @Test(
    "a session ends when idle, at its expiry, by its owner, and with its account",
    arguments: Engine.allCases)
  func sessionsEnd(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let token = try await world.settled("wu.jiu", Self.password)
      world.pass(1_799)
      #expect(try await world.call(Self.members, token) == nil)
      world.pass(1_799)
      #expect(try await world.call(Self.members, token) == nil, "use keeps it")
      world.pass(1_800)
      #expect(try await world.call(Self.members, token) == "CREDENTIAL_EXPIRED")
      let long = try await world.signIn("wu.jiu", Self.password).token
      for _ in 0..<27 {
        world.pass(1_600)
        _ = try await world.call(Self.members, long)
      }
      #expect(try await world.call(Self.members, long) == "CREDENTIAL_EXPIRED", "12 hours in all")
      let out = try await world.signIn("wu.jiu", Self.password).token
      _ = try await world.sessions.signOut(SignOutRequest(), options: AccountsWorld.bearer(out))
      #expect(try await world.call(Self.members, out) == "CALLER_UNPROVEN")
    }
  }

  @Test(
    "a new password, a reset and a disabled account end sessions and their streams",
    arguments: Engine.allCases)
  func accountsEnd(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let token = try await world.settled("zheng.shi", Self.password)
      let other = try await world.signIn("zheng.shi", Self.password).token
      let stream = try await TestServiceClient(world.edge).fullDuplexCall(
        options: AccountsWorld.bearer(other))
      try await stream.send(StreamingOutputCallRequest())
      var responses = stream.responses.makeAsyncIterator()
      _ = try await responses.next()
      try await world.changePassword(token, Self.password, Self.password + "!")
      let error = await #expect(throws: RPCError.self) { _ = try await responses.next() }
      #expect(error?.gatewayReason == "CALLER_UNPROVEN")
      #expect(try await world.call(Self.members, token) == nil)
      var reset = ResetStaffRequest()
      reset.requestID = AccountsWorld.newRequestID()
      reset.reason = "forgotten"
      let list = try await world.accounts.listStaff(
        ListStaffRequest(), options: AccountsWorld.root)
      reset.name = try #require(list.staff.first).name
      let made = try await world.accounts.resetStaff(reset, options: AccountsWorld.root)
      #expect(made.staff?.passwordTemporary == true)
      #expect(try await world.call(Self.members, token) == "CALLER_UNPROVEN")
      let again = try await world.accounts.resetStaff(reset, options: AccountsWorld.root)
      #expect(again.temporaryPassword == made.temporaryPassword, "a retry resets nothing")
      _ = try await world.signIn("zheng.shi", made.temporaryPassword)
    }
  }

  @Test("sessions are listed and ended by their owner only", arguments: Engine.allCases)
  func owners(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let mine = try await world.settled("qian.yi", Self.password)
      let second = try await world.signIn("qian.yi", Self.password)
      let other = try await world.settled("feng.er", Self.password)
      let list = try await world.sessions.listSessions(
        ListSessionsRequest(), options: AccountsWorld.bearer(mine)
      ).sessions
      #expect(list.count == 2 && list.filter(\.current).count == 1)
      var end = EndSessionRequest()
      end.name = second.session?.name ?? ""
      let error = await #expect(throws: RPCError.self) {
        _ = try await world.sessions.endSession(end, options: AccountsWorld.bearer(other))
      }
      #expect(error?.gatewayReason == "SESSION_NOT_FOUND")
      _ = try await world.sessions.endSession(end, options: AccountsWorld.bearer(mine))
      #expect(try await world.call(Self.members, second.token) == "CALLER_UNPROVEN")
      let root = await #expect(throws: RPCError.self) {
        _ = try await world.sessions.signOut(SignOutRequest(), options: AccountsWorld.root)
      }
      #expect(root?.gatewayReason == "NO_SESSION")
    }
  }

  @Test(
    "a user name is one account; invalid fields are reported at once", arguments: Engine.allCases)
  func names(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let made = await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<4 { group.addTask { (try? await world.staff("same.name")) != nil } }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(made.filter { $0 }.count == 1)
      var request = CreateStaffRequest()
      request.requestID = AccountsWorld.newRequestID()
      request.staff = StaffAccount()
      request.staff?.userName = "Zhang San"
      request.staff?.organization = "organizations/x"
      let error = await #expect(throws: RPCError.self) {
        _ = try await world.accounts.createStaff(request, options: AccountsWorld.root)
      }
      #expect(
        Set(error?.violations ?? []) == [
          "staff.user_name", "staff.display_name", "staff.role", "staff.organization",
        ])
      let token = try await world.settled("chen.san", Self.password)
      for (password, reason) in [
        ("short", "INVALID_FIELDS"), (Self.password, "INVALID_FIELDS"),
        (String(repeating: "x", count: 129), "INVALID_FIELDS"),
      ] {
        let error = await #expect(throws: RPCError.self) {
          try await world.changePassword(token, Self.password, password)
        }
        #expect(error?.gatewayReason == reason)
      }
    }
  }

  private static func base32(_ text: String) -> [UInt8]? {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    var (bits, count, bytes) = (UInt32(0), 0, [UInt8]())
    for character in text {
      guard let value = alphabet.firstIndex(of: character) else { return nil }
      bits = (bits << 5 | UInt32(value)) & 0xffff
      count += 5
      if count >= 8 {
        count -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
      }
    }
    return bytes
  }

  @Test("an authenticator works after the key that encrypted its secret was retired")
  func renewedKeys() async throws {
    try await AccountsWorld.with(.sqlite) { world in
      let made = try await world.staff("wang.wu")
      let id = String(made.staff?.name.suffix(32) ?? "")
      let secret = [UInt8](repeating: 7, count: OneTimePassword.secretBytes)
      let old = Keyring.generate(at: world.now.value)
      let both = old.adding(at: world.now.value)
      var account = try #require(try await world.database.read(StaffStore.byID(id)))
      account.totp = try FieldCipher(old).seal(
        secret, table: StoredStaff.table, column: "totp", row: id)
      var commit = Commit(at: world.now.value)
      StaffStore.update(account, at: world.now.value.microseconds, in: &commit)
      try await world.database.write(commit)
      let renewal = AuthenticatorRenewal(
        database: world.database, cipher: FieldCipher(both), clock: world.store.clock)
      for _ in 0..<2 { try await renewal.run { _, _, _ in } }
      let after = try #require(try await world.database.read(StaffStore.byID(id)))
      #expect(after.version == account.version + 1, "resealing is no change")
      let opened = try FieldCipher(both.keepingLast(1)).open(
        try #require(after.totp), table: StoredStaff.table, column: "totp", row: id)
      #expect(opened == secret)
    }
  }
}
