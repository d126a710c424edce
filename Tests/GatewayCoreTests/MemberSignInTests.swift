import Crypto
import Foundation
import GatewayV1
import MembersV1
import RPC
import RPCInProcess
import ServiceKit
import TestStores
import Testing
import YijiaTypeV1

@testable import GatewayCore

@Suite("Members who sign in by a code")
struct MemberSignInTests {
  private static let phone = "13800138000"
  private static let path = "/yijia.members.v1.MembersService/GetMyMembership"

  /// Runs with members who have these phones.
  private func with(
    _ engine: Engine, _ book: [String: [String]] = [phone: ["a"]],
    _ body: (AccountsWorld, SentCodes, AnyBackend) async throws -> Void
  ) async throws {
    let sent = SentCodes()
    let registry = try InProcessChannel(services: [PhoneBook(numbers: book)])
    let backend = AnyBackend()
    let inner = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [backend]))
    try await AccountsWorld.with(
      engine, codes: MemberCodes(sender: sent, registry: registry), backend: inner
    ) { try await body($0, sent, backend) }
  }

  @Test(
    "a code starts a session, and services learn which member calls", arguments: Engine.allCases
  )
  func signsIn(_ engine: Engine) async throws {
    try await with(engine) { world, sent, backend in
      let code = try await sent.code(Self.phone, world)
      let signedIn = try await world.signInMember("+86 138-0013-8000", code)
      #expect(signedIn.session?.subject == "members/\(PhoneBook.id("a"))")
      let error = try await world.edge.outcome(
        Self.path, AccountsWorld.bearer(signedIn.token).metadata)
      #expect(error == nil)
      let token = try #require(backend.heads.value.last?.metadata[binary: callerTokenMetadata])
      let keys = ["gateway-1": Array(TestGateway.signingKey.publicKey.rawRepresentation)]
      let caller = try CallerTokenVerifier(
        audience: "members", publicKeys: keys, clock: TestGateway.clock
      ).caller(of: token)
      #expect(caller == Caller(kind: .member, subject: "members/\(PhoneBook.id("a"))"))
      let staffOnly = try await world.call(
        "/yijia.members.v1.MembersService/ListMembers", signedIn.token)
      #expect(staffOnly == "CALLER_KIND")
      _ = try await world.sessions.signOut(
        SignOutRequest(), options: AccountsWorld.bearer(signedIn.token))
      #expect(try await world.call(Self.path, signedIn.token) == "CALLER_UNPROVEN")
      for bytes in try await world.stores.bytes(of: world.database) {
        for secret in [Self.phone, signedIn.token] {
          #expect(bytes.range(of: Data(secret.utf8)) == nil)
        }
      }
    }
  }

  @Test(
    "a code request does not reveal whether the phone is a member's", arguments: Engine.allCases)
  func neutral(_ engine: Engine) async throws {
    try await with(engine) { world, sent, _ in
      let known = try await world.requestCode(Self.phone)
      let unknown = try await world.requestCode("13900139000")
      #expect(known == unknown)
      await sent.count.reaches(2)
      #expect(sent.codes.value.keys.sorted() == [Self.phone, "13900139000"])
      #expect(try await world.memberRefusal("13900139000", "000000") == "SIGN_IN_REFUSED")
      for phone in ["", "12345678901", "1380013800", "138001380000", "١٣٨٠٠١٣٨٠٠٠", "1380013800a"] {
        #expect(try await world.memberRefusal(phone, "000000") == "INVALID_FIELDS", "\(phone)")
      }
    }
  }

  @Test("whoever has a phone without a member signs in as an applicant", arguments: Engine.allCases)
  func applicant(_ engine: Engine) async throws {
    try await with(engine) { world, sent, _ in
      let code = try await sent.code("13900139000", world)
      #expect(try await world.memberRefusal("13900139000", code, "M-a") == "SIGN_IN_REFUSED")
      let signedIn = try await world.signInMember("13900139000", code)
      #expect(signedIn.session?.subject == "members/\(PhoneBook.id("f"))")
    }
  }

  @Test(
    "the look-up has the deadline and the trace of the sign-in", arguments: Engine.allCases)
  func inherited(_ engine: Engine) async throws {
    let (sent, asked) = (SentCodes(), Shared<[(Swift.Duration?, Metadata)]>([]))
    let registry = try InProcessChannel(services: [
      PhoneBook(numbers: [Self.phone: ["a"]]) { context in
        asked.update { $0.append((context.deadline?.remaining, context.metadata)) }
      }
    ])
    try await AccountsWorld.with(
      engine, codes: MemberCodes(sender: sent, registry: registry)
    ) { world in
      let code = try await sent.code(Self.phone, world)
      let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
      var options = CallOptions()
      // Less than the look-up's own limit.
      options.timeout = .milliseconds(4_900)
      options.metadata = ["traceparent": .text(trace), "tracestate": "a=b"]
      _ = try await world.signInMember(Self.phone, code, options: options)
      let (time, metadata) = try #require(asked.value.last)
      let left = try #require(time)
      #expect(left < .milliseconds(4_900))
      #expect(metadata[text: "traceparent"] == trace)
      #expect(metadata[text: "tracestate"] == "a=b")
    }
  }

  @Test("codes are limited, and so are guesses at one", arguments: Engine.allCases)
  func limits(_ engine: Engine) async throws {
    try await with(engine) { world, sent, _ in
      var code = try await sent.code(Self.phone, world)
      let soon = await #expect(throws: RPCError.self) {
        _ = try await world.requestCode(Self.phone)
      }
      #expect(soon?.gatewayReason == "CODE_LIMIT" && soon?.retrySeconds == 60)
      for _ in 0..<5 {
        let wrong = code == "000000" ? "000001" : "000000"
        #expect(try await world.memberRefusal(Self.phone, wrong) == "SIGN_IN_REFUSED")
      }
      #expect(try await world.memberRefusal(Self.phone, code) == "SIGN_IN_REFUSED")
      for _ in 0..<4 {
        world.pass(60)
        code = try await sent.code(Self.phone, world)
      }
      world.pass(60)
      let spent = await #expect(throws: RPCError.self) {
        _ = try await world.requestCode(Self.phone)
      }
      #expect(spent?.gatewayReason == "CODE_LIMIT")
      world.pass(240)
      #expect(try await world.memberRefusal(Self.phone, code) == "SIGN_IN_REFUSED", "too old")
      world.pass(86_400)
      code = try await sent.code(Self.phone, world)
      _ = try await world.signInMember(Self.phone, code)
    }
  }

  @Test("a code is accepted once among concurrent sign-ins", arguments: Engine.allCases)
  func once(_ engine: Engine) async throws {
    try await with(engine) { world, sent, _ in
      let code = try await sent.code(Self.phone, world)
      let outcomes = await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<4 {
          group.addTask { (try? await world.signInMember(Self.phone, code)) != nil }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.filter { $0 }.count == 1)
    }
  }

  @Test(
    "among several members with one phone one is chosen by number, and the code stays valid",
    arguments: Engine.allCases)
  func ambiguous(_ engine: Engine) async throws {
    try await with(engine, [Self.phone: ["a", "b"]]) { world, sent, _ in
      let code = try await sent.code(Self.phone, world)
      #expect(try await world.memberRefusal(Self.phone, code) == "MEMBER_AMBIGUOUS")
      #expect(try await world.memberRefusal(Self.phone, code, "M-c") == "SIGN_IN_REFUSED")
      let signedIn = try await world.signInMember(Self.phone, code, "M-b")
      #expect(signedIn.session?.subject == "members/\(PhoneBook.id("b"))")
    }
  }

  @Test("without a sender code requests are refused", arguments: Engine.allCases)
  func off(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let error = await #expect(throws: RPCError.self) {
        _ = try await world.requestCode(Self.phone)
      }
      #expect(error?.gatewayReason == "MEMBER_CODES_OFF")
    }
  }
}

/// Members by phone.
private struct PhoneBook: MembersServiceProtocol {
  let numbers: [String: [String]]
  var onCall: @Sendable (ServerContext) -> Void = { _ in }

  static func id(_ letter: String) -> String { String(repeating: letter, count: 32) }

  func findPhoneMembers(
    _ request: FindPhoneMembersRequest, context: ServerContext
  ) async throws -> FindPhoneMembersResponse {
    onCall(context)
    var response = FindPhoneMembersResponse()
    response.members = numbers[request.phone, default: []].map { letter in
      var member = PhoneMember()
      member.member = "members/\(Self.id(letter))"
      member.memberNumber = "M-\(letter)"
      return member
    }
    response.applicant = "members/\(Self.id("f"))"
    return response
  }
}

/// Records the codes that were sent.
private final class SentCodes: MemberCodeSender {
  let codes = Shared<[String: String]>([:])
  let count = Counter()

  func send(_ code: String, to phone: String) async {
    codes.update { $0[phone] = code }
    count.add()
  }

  /// Returns the code that was sent to a phone.
  func code(_ phone: String, _ world: AccountsWorld, isAsked: Bool = false) async throws -> String {
    let before = count.value
    if !isAsked {
      _ = try await world.requestCode(phone)
      await count.reaches(before + 1)
    }
    return try #require(codes.value[phone])
  }
}

extension AccountsWorld {
  fileprivate func requestCode(_ phone: String) async throws -> RequestMemberCodeResponse {
    var request = RequestMemberCodeRequest()
    request.phone = phone
    return try await sessions.requestMemberCode(request)
  }

  fileprivate func signInMember(
    _ phone: String, _ code: String, _ number: String = "", options: CallOptions = CallOptions()
  ) async throws -> SignInMemberResponse {
    var request = SignInMemberRequest()
    request.phone = phone
    request.code = code
    request.memberNumber = number
    return try await sessions.signInMember(request, options: options)
  }

  fileprivate func memberRefusal(
    _ phone: String, _ code: String, _ number: String = ""
  ) async throws -> String {
    do {
      _ = try await signInMember(phone, code, number)
      return "signed in"
    } catch let error as RPCError {
      return error.gatewayReason ?? "\(error)"
    }
  }
}
