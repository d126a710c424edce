import Foundation
import Logging
import Metrics
import ServiceKit
import Storage
import Synchronization

/// Posts one-time codes to an operator's relay, which has them sent as text messages.
///
/// The relay must deliver one message for each idempotency key. Safe to use from any task.
public final class MemberCodeWebhook: MemberCodeSender {
  /// Posts JSON to a URL, trusting the authorities of a file or the system's. Returns the status of
  /// the response, or as a failure why nothing was sent; throws where the relay may have taken it.
  public typealias Post =
    @Sendable (
      _ url: String, _ authorities: String?, _ headers: [(name: String, value: String)],
      _ body: [UInt8], _ limit: Duration
    ) async throws -> Result<Int, any Error>

  /// The members of the request's body.
  private struct Message: Encodable {
    let phone: String
    let code: String
    let text: String
    let expireTime: String
    let idempotencyKey: String

    enum CodingKeys: String, CodingKey {
      case phone, code, text
      case expireTime = "expire_time"
      case idempotencyKey = "idempotency_key"
    }
  }

  /// Codes on their way at once; with a relay that hangs this many requests wait.
  static let countMax = 64
  /// Time until the second attempt where nothing was sent: a relay that restarts.
  private static let retryDelay = Duration.milliseconds(200)

  private let setting: MemberCodeWebhookSetting
  private let token: String
  private let post: Post
  private let ids: IDSource
  private let clock: Clock
  private let logger: Logger
  private let count = Atomic<Int>(0)
  private let delivered = Counter(
    label: "gateway.member_codes", dimensions: [("outcome", "delivered")])
  private let failed = Counter(label: "gateway.member_codes", dimensions: [("outcome", "failed")])

  /// - Throws: ``ConfigurationError`` naming every file that cannot be used.
  init(
    _ setting: MemberCodeWebhookSetting, post: @escaping Post, ids: IDSource, clock: Clock,
    logger: Logger
  ) throws {
    try Faults(setting.fileFaults(at: "member_code_webhook")).check()
    self.setting = setting
    token = try setting.token()
    self.post = post
    self.ids = ids
    self.clock = clock
    self.logger = logger
  }

  public var isAwaited: Bool { true }
  public var messagesPerHour: Int? { setting.messagesPerHour }

  public func send(_ code: String, to phone: String) async throws {
    do {
      let (headers, body) = try request(code, phone)
      try await deliver(headers, body)
      delivered.increment()
    } catch let error as MemberCodeUndelivered {
      failed.increment()
      logger.warning(
        "a member's code was not delivered",
        metadata: ["phone": "*\(phone.suffix(4))", "cause": "\(error.cause)"])
      throw error
    }
  }

  private func deliver(_ headers: [(name: String, value: String)], _ body: [UInt8]) async throws {
    defer { count.subtract(1, ordering: .relaxed) }
    guard count.add(1, ordering: .relaxed).newValue <= Self.countMax else {
      throw MemberCodeUndelivered(.unsent, cause: "\(Self.countMax) codes are on their way")
    }
    do {
      try await attempt(headers, body)
    } catch let error as MemberCodeUndelivered where error.progress == .unsent {
      // Time itself is meant: nothing tells when the relay is back.
      try await Task.sleep(for: Self.retryDelay)
      try await attempt(headers, body)
    }
  }

  private func attempt(
    _ headers: [(name: String, value: String)], _ body: [UInt8]
  ) async throws {
    let authorities = setting.authorityFile.isEmpty ? nil : setting.authorityFile
    let outcome: Result<Int, any Error>
    do {
      outcome = try await post(
        setting.url, authorities, headers, body, .seconds(setting.timeoutSeconds))
    } catch let error as CancellationError {
      throw error
    } catch {
      throw MemberCodeUndelivered(.unknown, cause: "\(error)")
    }
    switch outcome {
    case .success(let status): try check(status)
    case .failure(let error): throw MemberCodeUndelivered(.unsent, cause: "\(error)")
    }
  }

  /// A gateway on the way may answer statuses of 500 and above although the relay took the request,
  /// except 503.
  private func check(_ status: Int) throws(MemberCodeUndelivered) {
    if (200..<300).contains(status) { return }
    let isRefused = (300..<500).contains(status) || status == 503
    throw MemberCodeUndelivered(
      isRefused ? .refused : .unknown, cause: "the relay answered \(status)")
  }

  private func request(
    _ code: String, _ phone: String
  ) throws -> (headers: [(name: String, value: String)], body: [UInt8]) {
    let lifetime = StoredMemberCode.lifetimeSeconds
    let key = ids.next()
    let message = Message(
      phone: "+86\(phone)", code: code, text: setting.message(code, minutes: lifetime / 60),
      expireTime: clock.now.addingTimeInterval(TimeInterval(lifetime)).rfc3339,
      idempotencyKey: key)
    var headers = [(name: "idempotency-key", value: key)]
    if !token.isEmpty { headers.append((name: "authorization", value: "Bearer \(token)")) }
    return (headers, Array(try JSONEncoder().encode(message)))
  }
}

extension GatewayConfiguration {
  /// Creates the sender of members' codes; nil for none. The log says where codes do not reach
  /// phones.
  ///
  /// - Throws: ``ConfigurationError``.
  func makeMemberCodeSender(
    _ post: MemberCodeWebhook.Post?, ids: IDSource, _ clock: Clock, _ logger: Logger
  ) throws -> (any MemberCodeSender)? {
    switch memberCodeSender {
    case "webhook":
      guard let post else { throw ConfigurationError("member_code_sender: no webhook here") }
      return try MemberCodeWebhook(
        memberCodeWebhook, post: post, ids: ids, clock: clock, logger: logger)
    case "log":
      logger.warning("members' codes go to this log and to no phone: for development only")
      return LoggedMemberCodes(logger: logger)
    default:
      logger.warning("members cannot sign in: member_code_sender is none, no codes are sent")
      return nil
    }
  }
}
