import Foundation
import GatewayV1
import MembersV1
import RPC
import RPCInProcess
import ServiceKit
import Storage
import TestStores
import Testing

@testable import GatewayCore

/// No caller can deprive another of its share.
@Suite("Fairness", .timeLimit(.minutes(5)))
struct FairnessTests {
  private static let phone = "13800138000"
  private static let path = "/yijia.members.v1.MembersService/GetEnrollment"

  private static func sessions(
    _ world: AccountsWorld, from address: String
  ) throws -> SessionsServiceClient {
    SessionsServiceClient(try world.gateway.edge(peer: Peer(address: address)))
  }

  private static func signIn(
    _ sessions: SessionsServiceClient, _ userName: String, _ password: String
  ) async throws -> String? {
    var request = SignInRequest()
    request.userName = userName
    request.password = password
    do {
      _ = try await sessions.signIn(request)
      return nil
    } catch let error as RPCError {
      return error.gatewayReason
    }
  }

  @Test(
    "an endless guesser delays nobody at other addresses, and in the end only itself",
    arguments: Engine.allCases)
  func guesser(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let made = try await world.staff("zhao.liu")
      let enemy = try Self.sessions(world, from: "192.0.2.1:1")
      for _ in 0..<6 { _ = try await Self.signIn(enemy, "zhao.liu", "wrong") }
      #expect(try await Self.signIn(enemy, "zhao.liu", "wrong") == "SIGN_IN_DELAYED")
      let owner = try Self.sessions(world, from: "192.0.2.2:1")
      #expect(try await Self.signIn(owner, "zhao.liu", made.temporaryPassword) == nil)
      // Attempts during a delay count against the source address.
      for _ in 0..<6 { _ = try await Self.signIn(enemy, "zhao.liu", "wrong") }
      for _ in 0..<300 { _ = try await Self.signIn(enemy, "zhao.liu", "wrong") }
      #expect(
        try await Self.signIn(enemy, "nobody.else", "wrong") == "SIGN_IN_DELAYED",
        "the address waits, whoever it names")
      #expect(try await Self.signIn(owner, "zhao.liu", made.temporaryPassword) == nil)
    }
  }

  @Test("a reset lets the user in at once, from the address that is delayed")
  func resetClears() async throws {
    try await AccountsWorld.with(.sqlite) { world in
      let made = try await world.staff("zhao.liu")
      _ = try await world.staff("qian.qi")
      let user = try Self.sessions(world, from: "192.0.2.7:1")
      for _ in 0..<6 {
        _ = try await Self.signIn(user, "zhao.liu", "wrong")
        _ = try await Self.signIn(user, "qian.qi", "wrong")
      }
      #expect(try await Self.signIn(user, "zhao.liu", "wrong") == "SIGN_IN_DELAYED")
      var reset = ResetStaffRequest()
      reset.requestID = AccountsWorld.newRequestID()
      reset.name = try #require(made.staff).name
      reset.reason = "forgotten"
      let password = try await world.accounts.resetStaff(reset, options: AccountsWorld.root)
        .temporaryPassword
      #expect(try await Self.signIn(user, "zhao.liu", password) == nil)
      #expect(try await Self.signIn(user, "qian.qi", "wrong") == "SIGN_IN_DELAYED")
    }
  }

  @Test("guesses from many addresses together are limited", arguments: Engine.allCases)
  func manySources(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let now = world.now.value
      let keys = ["a", "b", "c"].map {
        GuessKeys(world.store.hasher, "staff", "zhao.liu", from: $0)
      }
      try await world.database.write { GuessStore.count(keys[0], at: now) }
      var commit = Commit(at: now)
      commit.run(
        "UPDATE guess SET failures = ?2 WHERE key = ?1", [keys[0].all, SignInDelay.freeOfAll],
        expects: .exactly(1))
      try await world.database.write(commit)
      try await world.database.write { GuessStore.count(keys[1], at: now) }
      await #expect(throws: AccountFailure.self) {
        try await world.database.write { GuessStore.count(keys[2], at: now) }
      }
    }
  }

  @Test("the source is the network for IPv6, the address for IPv4")
  func sources() {
    let sources = { Peer(address: $0).source }
    #expect(sources("192.0.2.1:5000") == "192.0.2.1")
    #expect(sources("[2001:db8::1]:1") == sources("[2001:db8:0:0:ffff::2]:2"))
    #expect(sources("[2001:db8::1]:1") != sources("[2001:db8:0:1::1]:1"))
    #expect(sources("[::ffff:192.0.2.1]:1") == "192.0.2.1")
    #expect(sources("in-process") == "in-process")
  }

  @Test("new addresses do not evict throttled ones")
  func throttleKeeps() {
    let throttle = SourceThrottle()
    let now = Date(timeIntervalSince1970: 1_800_000_000)
    for _ in 0..<300 { throttle.failed("enemy", at: now) }
    for index in 0..<20_000 { throttle.failed("\(index)", at: now) }
    #expect(throws: AccountFailure.self) { try throttle.check("enemy", at: now) }
    #expect(throws: Never.self) { try throttle.check("1", at: now) }
  }

  // MARK: - Members

  private static func ask(
    _ sessions: SessionsServiceClient, _ phone: String = phone
  ) async throws -> String? {
    var request = RequestMemberCodeRequest()
    request.phone = phone
    do {
      _ = try await sessions.requestMemberCode(request)
      return nil
    } catch let error as RPCError {
      return error.gatewayReason
    }
  }

  private static func with(
    _ engine: Engine, _ sender: any MemberCodeSender, _ body: (AccountsWorld) async throws -> Void
  ) async throws {
    let registry = try InProcessChannel(services: [AnyPhone()])
    try await AccountsWorld.with(
      engine, codes: MemberCodes(sender: sender, registry: registry), body)
  }

  @Test(
    "requesting all of a phone's codes does not lock out its member, and is limited",
    arguments: Engine.allCases)
  func codes(_ engine: Engine) async throws {
    let sender = KeptCodes()
    try await Self.with(engine, sender) { world in
      let enemy = try Self.sessions(world, from: "192.0.2.1:1")
      for _ in 0..<5 {
        #expect(try await Self.ask(enemy) == nil)
        world.pass(60)
      }
      #expect(try await Self.ask(enemy) == "CODE_LIMIT")
      await sender.sent.reaches(5)
      let owner = try Self.sessions(world, from: "192.0.2.2:1")
      #expect(try await Self.ask(owner) == nil)
      await sender.sent.reaches(6)
      var request = SignInMemberRequest()
      request.phone = Self.phone
      request.code = sender.codes.value[Self.phone] ?? ""
      _ = try await owner.signInMember(request)
      // A sign-in resets the counts; the total of all addresses is limited.
      var sends = 0
      for source in 2..<12 {
        let sessions = try Self.sessions(world, from: "192.0.2.\(source):1")
        for _ in 0..<5 {
          world.pass(60)
          if try await Self.ask(sessions) == nil { sends += 1 }
        }
      }
      #expect(sends == 20)
    }
  }

  private static func guess(
    _ sessions: SessionsServiceClient, _ code: String
  ) async throws -> String? {
    var request = SignInMemberRequest()
    request.phone = phone
    request.code = code
    do {
      _ = try await sessions.signInMember(request)
      return nil
    } catch let error as RPCError {
      return error.gatewayReason
    }
  }

  @Test(
    "guesses from one address do not use up a code, those of many do",
    arguments: Engine.allCases)
  func codeGuesses(_ engine: Engine) async throws {
    let sender = KeptCodes()
    try await Self.with(engine, sender) { world in
      let owner = try Self.sessions(world, from: "192.0.2.1:1")
      /// Requests a code, has it guessed at from that many addresses, and then uses it.
      func outcome(guessers: Int) async throws -> String? {
        let before = sender.sent.value
        #expect(try await Self.ask(owner) == nil)
        await sender.sent.reaches(before + 1)
        let code = sender.codes.value[Self.phone] ?? ""
        let wrong = code == "000000" ? "000001" : "000000"
        for index in 0..<guessers {
          let guesser = try Self.sessions(world, from: "198.51.100.\(index):1")
          for _ in 0..<6 { #expect(try await Self.guess(guesser, wrong) == "SIGN_IN_REFUSED") }
          #expect(try await Self.guess(guesser, code) == "SIGN_IN_REFUSED")
        }
        let told = try await Self.guess(owner, code)
        world.pass(60)
        return told
      }
      #expect(try await outcome(guessers: 9) == nil)
      #expect(try await outcome(guessers: 10) == "SIGN_IN_REFUSED")
    }
  }

  @Test("a code that expired while it was queued is not sent")
  func lateCode() async throws {
    let sender = KeptCodes()
    try await Self.with(.sqlite, sender) { world in
      let (begun, free) = (Counter(), Counter())
      for _ in 0..<32 {
        world.store.errands.add {
          begun.add()
          await free.reaches(1)
        }
      }
      await begun.reaches(32)
      let first = try await Self.ask(world.sessions)
      world.pass(TimeInterval(StoredMemberCode.lifetimeSeconds))
      free.add()
      let second = try await Self.ask(world.sessions, "13900139000")
      #expect(first == nil && second == nil)
      await sender.sent.reaches(1)
      #expect(sender.codes.value.keys.sorted() == ["13900139000"])
    }
  }

  @Test("a message that is slow to send does not delay others")
  func slowSender() async throws {
    let sender = KeptCodes(stuck: Self.phone)
    try await Self.with(.sqlite, sender) { world in
      let first = try await Self.ask(world.sessions)
      await sender.begun.reaches(1)
      let second = try await Self.ask(world.sessions, "13900139000")
      #expect(first == nil && second == nil)
      await sender.sent.reaches(1)
      #expect(sender.codes.value.keys.sorted() == ["13900139000"])
    }
  }

  @Test("when too many codes are queued, no other is stored")
  func fullQueue() async throws {
    let sender = KeptCodes(stuck: Self.phone)
    try await Self.with(.sqlite, sender) { world in
      while world.store.errands.add({ await untilCancelled() }) {}
      #expect(try await Self.ask(world.sessions) == "BACKEND_UNAVAILABLE")
      let count: Query<Int64?> = .first("SELECT count(*) AS n FROM member_code", []) {
        try $0.integer("n")
      }
      let stored = try await world.database.read(count)
      #expect(stored == 0)
    }
  }

  // MARK: - Streams

  @Test(
    "a stream ends if its key lost rights while the stream was being admitted",
    arguments: Engine.allCases)
  func lostRights(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let (_, secret) = try await world.key(try await world.partner(methods: [Self.path]))
      let hash = try #require(CredentialHash(of: Array(secret.utf8)))
      let now = try #require(try await world.store.directory.find(hash, .key))
      let before = AccountEntry(caller: now.caller, grant: .all, expiresAt: now.expiresAt)
      let ends = Counter()
      let directory = world.store.directory
      let same = directory.watch(hash, .key, now) { ends.add() }
      try await directory.settle()
      #expect(ends.value == 0)
      directory.stopWatching(same)
      let watch = directory.watch(hash, .key, before) { ends.add() }
      try await directory.settle()
      await ends.reaches(1)
      directory.stopWatching(watch)
    }
  }
}

/// Every phone belongs to a member.
private struct AnyPhone: MembersServiceProtocol {
  func findPhoneMembers(
    _ request: FindPhoneMembersRequest, context: ServerContext
  ) async throws -> FindPhoneMembersResponse {
    var member = PhoneMember()
    member.member = "members/" + String(repeating: "a", count: 32)
    member.memberNumber = "M-a"
    var response = FindPhoneMembersResponse()
    response.members = [member]
    return response
  }
}

/// Records what was sent; messages to one phone never arrive.
private final class KeptCodes: MemberCodeSender {
  let stuck: String?
  let codes = Shared<[String: String]>([:])
  let begun = Counter()
  let sent = Counter()

  init(stuck: String? = nil) { self.stuck = stuck }

  func send(_ code: String, to phone: String) async {
    begun.add()
    if phone == stuck { return await untilCancelled() }
    codes.update { $0[phone] = code }
    sent.add()
  }
}
