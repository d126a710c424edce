import Foundation
import GatewayV1
import Logging
import RPC
import RPCInProcess
import ServiceKit
import TestStores
import Testing

@testable import GatewayCore

/// A relay: records what is posted, and fails as told.
private final class Relay: Sendable {
  struct Request: Sendable {
    let headers: [(name: String, value: String)]
    let body: [UInt8]
    let limit: Duration
  }

  struct NoRoute: Error {}

  let requests = Shared<[Request]>([])
  /// The next answers; success once there are none left.
  let failures = Shared<[MemberCodeUndelivered.Progress]>([])

  func post(_ request: Request) throws -> Result<Int, any Error> {
    requests.update { $0.append(request) }
    guard let progress = failures.value.first else { return .success(202) }
    failures.update { $0.removeFirst() }
    switch progress {
    case .unsent: return .failure(NoRoute())
    case .refused: return .success(400)
    case .unknown: throw CocoaError(.fileReadUnknown)
    }
  }

  func body(_ index: Int) throws -> [String: String] {
    let object = try JSONSerialization.jsonObject(with: Data(requests.value[index].body))
    return try #require(object as? [String: String])
  }
}

@Suite("Codes of members, posted to a relay")
struct MemberCodeWebhookTests {
  private static let phone = "13800138000"
  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private static func webhook(
    _ relay: Relay, token: String = "", perHour: Int = 3_600
  ) throws -> MemberCodeWebhook {
    var setting = MemberCodeWebhookSetting()
    setting.messagesPerHour = perHour
    setting.url = "https://relay.example/codes"
    setting.tokenFile = token
    return try MemberCodeWebhook(
      setting, post: { try relay.post(Relay.Request(headers: $2, body: $3, limit: $4)) },
      ids: .system, clock: TestGateway.clock, logger: quiet)
  }

  private func with(
    _ engine: Engine, perHour: Int = 3_600, _ body: (AccountsWorld, Relay) async throws -> Void
  ) async throws {
    let relay = Relay()
    let registry = try InProcessChannel(services: [])
    let sender = try Self.webhook(relay, perHour: perHour)
    try await AccountsWorld.with(
      engine, codes: MemberCodes(sender: sender, registry: registry)
    ) { try await body($0, relay) }
  }

  private func ask(
    _ world: AccountsWorld, _ phone: String = Self.phone
  ) async throws -> RPCError? {
    var request = RequestMemberCodeRequest()
    request.phone = phone
    do {
      _ = try await world.sessions.requestMemberCode(request)
      return nil
    } catch let error as RPCError {
      return error
    }
  }

  @Test("a message states phone, code, text, expiry and an idempotency key, and the token")
  func message() async throws {
    let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try "secret-token\n".write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    let relay = Relay()
    try await Self.webhook(relay, token: file.path).send("012345", to: Self.phone)
    let body = try relay.body(0)
    let key = try #require(body["idempotency_key"])
    #expect(IDSource.isIdentifier(key))
    #expect(
      body == [
        "phone": "+8613800138000", "code": "012345", "expire_time": "2026-11-21T00:05:00Z",
        "text": "【驿家】验证码012345，5分钟内有效，请勿告诉他人。", "idempotency_key": key,
      ])
    let headers = relay.requests.value[0].headers.map { "\($0.name): \($0.value)" }
    #expect(headers == ["idempotency-key: \(key)", "authorization: Bearer secret-token"])
    #expect(relay.requests.value[0].limit == .seconds(5))
  }

  @Test("only a request that never left is repeated, once, with the same key")
  func repeated() async throws {
    for (failures, attempts) in [
      ([.unsent], 2), ([.unsent, .unsent, .unsent], 2), ([.refused], 1), ([.unknown], 1),
    ] as [([MemberCodeUndelivered.Progress], Int)] {
      let relay = Relay()
      relay.failures.update { $0 = failures }
      let webhook = try Self.webhook(relay)
      do {
        try await webhook.send("012345", to: Self.phone)
        #expect(failures.count == 1 && attempts == 2)
      } catch let error as MemberCodeUndelivered {
        #expect(error.progress == failures[0])
        #expect(error.progress != .unsent || error.cause == "NoRoute()", "operators read why")
      }
      #expect(relay.requests.value.count == attempts)
      let keys = try relay.requests.value.indices.map { try relay.body($0)["idempotency_key"] }
      #expect(Set(keys).count == 1)
    }
  }

  @Test(
    "a code that was not sent does not count, and the member is told when to ask again",
    arguments: Engine.allCases)
  func refused(_ engine: Engine) async throws {
    try await with(engine) { world, relay in
      for _ in 0..<7 {
        relay.failures.update { $0 = [.refused] }
        let error = try await ask(world)
        #expect(error?.code == .unavailable && error?.retrySeconds == 10)
        #expect(error?.gatewayReason == "MEMBER_CODE_UNDELIVERED")
      }
      #expect(try await ask(world) == nil)
      #expect(try await ask(world)?.gatewayReason == "CODE_LIMIT")
      // One that follows does not count either, and the code before it stays valid.
      world.pass(60)
      relay.failures.update { $0 = [.refused] }
      #expect(try await ask(world)?.gatewayReason == "MEMBER_CODE_UNDELIVERED")
      #expect(try await ask(world) == nil)
    }
  }

  @Test("a code that may have been sent counts", arguments: Engine.allCases)
  func unknown(_ engine: Engine) async throws {
    try await with(engine) { world, relay in
      relay.failures.update { $0 = [.unknown] }
      let error = try await ask(world)
      #expect(error?.code == .unavailable && error?.retrySeconds == 60)
      #expect(try await ask(world)?.gatewayReason == "CODE_LIMIT")
      world.pass(60)
      #expect(try await ask(world) == nil)
    }
  }

  @Test(
    "all phones together get so many messages an hour, which only what may be sent uses up",
    arguments: Engine.allCases)
  func budget(_ engine: Engine) async throws {
    try await with(engine, perHour: 10) { world, relay in
      let phones = (10...30).map { "138001380\($0)" }
      for phone in phones.prefix(9) {
        relay.failures.update { $0 = [.refused] }
        #expect(try await ask(world, phone)?.gatewayReason == "MEMBER_CODE_UNDELIVERED")
        #expect(try await ask(world, phone) == nil)
        #expect(try await ask(world, phone)?.retrySeconds == 60, "the limit of the phone")
      }
      relay.failures.update { $0 = [.unknown] }
      #expect(try await ask(world, phones[9])?.gatewayReason == "MEMBER_CODE_UNDELIVERED")
      let sent = relay.requests.value.count
      let error = try await ask(world, phones[10])
      #expect(error?.gatewayReason == "CODE_LIMIT" && error?.code == .resourceExhausted)
      #expect(error?.retrySeconds == 360)
      world.pass(350)
      #expect(try await ask(world, phones[10])?.retrySeconds == 10)
      #expect(relay.requests.value.count == sent, "nothing costs a message that is refused")
      world.pass(11)
      #expect(try await ask(world, phones[10]) == nil)
      #expect(try await ask(world, phones[11])?.gatewayReason == "CODE_LIMIT")
    }
  }

  @Test("concurrent requests get no more messages than there are")
  func budgetAtOnce() async {
    let (budget, now) = (MessageBudget(), TestGateway.clock.now)
    let taken = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<200 {
        group.addTask { (try? budget.take(50, at: now)) != nil }
      }
      return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(taken == 50)
  }

  @Test("every wrong field and file is named")
  func faults() throws {
    var configuration = GatewayConfiguration()
    configuration.memberCodeSender = "webhook"
    #expect(configuration.faults().map { $0.prefix { $0 != ":" } } == ["member_code_webhook.url"])
    configuration.memberCodeWebhook.url = "http://relay.example/codes"
    configuration.memberCodeWebhook.text = "no code"
    configuration.memberCodeWebhook.timeoutSeconds = 11
    configuration.memberCodeWebhook.messagesPerHour = 9
    #expect(
      configuration.faults().map { $0.prefix { $0 != ":" } } == [
        "member_code_webhook.url", "member_code_webhook.text",
        "member_code_webhook.timeout_seconds", "member_code_webhook.messages_per_hour",
      ])
    configuration.memberCodeWebhook = MemberCodeWebhookSetting()
    configuration.memberCodeWebhook.url = "http://127.0.0.1:9900/codes"
    #expect(configuration.faults() == [] && configuration.memberCodeFileFaults() == [])
    configuration.memberCodeWebhook.tokenFile = "/nowhere/token"
    configuration.memberCodeWebhook.authorityFile = "/nowhere/ca.pem"
    #expect(
      configuration.memberCodeFileFaults().map { $0.prefix { $0 != ":" } } == [
        "member_code_webhook.token_file", "member_code_webhook.authority_file",
      ])
    configuration.memberCodeSender = "sms"
    #expect(configuration.faults() == ["member_code_sender: none, webhook or log"])
  }
}
