import Foundation
public import GatewayV1
import GoogleProtobuf
import MembersV1
public import RPC
import ServiceKit
import Storage
import YijiaTypeV1

extension SessionsService {
  /// Time until a code that was surely not sent can be requested again.
  private static let resendDelay = Swift.Duration.seconds(10)

  /// Sends a one-time code to a phone, whether or not a member has it: after the response, unless
  /// the sender's outcome is awaited.
  public func requestMemberCode(
    _ request: RequestMemberCodeRequest, context: ServerContext
  ) async throws -> RequestMemberCodeResponse {
    guard let sender = codes.sender else { throw AccountFailure.memberCodesOff }
    let now = store.clock.now
    let phone = try Self.phone(request.phone)
    try store.codeSources.check(context.source, at: now)
    // Every request counts against the address, as each may cost a text message.
    store.codeSources.failed(context.source, at: now)
    // Nothing is stored either: the code could not be used, and would count.
    let busy = GatewayFailure.backendUnavailable(service: "member-codes")
    guard sender.isAwaited || store.errands.hasRoom else { throw busy }
    let code = Self.code(store.ids)
    let (phoneHash, codeHash) = hashes(phone, code)
    try store.messages.take(sender.messagesPerHour, at: now)
    let changes: [MemberCodeChange]
    do {
      changes = try await put(codeHash, of: phoneHash, asker: askerHash(phone, context), at: now)
    } catch {
      store.messages.giveBack(sender.messagesPerHour)
      throw error
    }
    if sender.isAwaited {
      try await deliver(code, to: phone, by: sender, storedBy: changes, at: now)
    } else {
      let clock = store.clock
      let end = now.microseconds + StoredMemberCode.lifetimeSeconds * 1_000_000
      let isAdded = store.errands.add {
        // An expired code would only cost a message.
        guard clock.microseconds < end else { return }
        try await sender.send(code, to: phone)
      }
      guard isAdded else { throw busy }
    }
    var response = RequestMemberCodeResponse()
    response.lifetime = GoogleProtobuf.Duration()
    response.lifetime?.seconds = StoredMemberCode.lifetimeSeconds
    response.retryDelay = GoogleProtobuf.Duration()
    response.retryDelay?.seconds = StoredMemberCode.pauseSeconds
    return response
  }

  /// Sends a code. One that was surely not sent does not count, so that an outage of the relay does
  /// not use up what a phone gets in a day, nor the messages of an hour; one that may have been
  /// sent does.
  ///
  /// - Throws: ``AccountFailure/memberCodeUndelivered(_:)``.
  private func deliver(
    _ code: String, to phone: String, by sender: any MemberCodeSender,
    storedBy changes: [MemberCodeChange], at now: Foundation.Date
  ) async throws {
    do {
      try await sender.send(code, to: phone)
    } catch let error as MemberCodeUndelivered {
      guard error.progress != .unknown else {
        throw AccountFailure.memberCodeUndelivered(.seconds(StoredMemberCode.pauseSeconds))
      }
      store.messages.giveBack(sender.messagesPerHour)
      try await undo(changes, at: now)
      throw AccountFailure.memberCodeUndelivered(Self.resendDelay)
    }
  }

  /// Restores the records of a code, unless they changed since.
  private func undo(_ changes: [MemberCodeChange], at now: Foundation.Date) async throws {
    try await store.database.write {
      .read(MemberCodeStore.byPhone(changes[0].key), MemberCodeStore.byPhone(changes[1].key)) {
        stored, asked in
        guard stored == changes[0].next, asked == changes[1].next else { return .reply(()) }
        var commit = Commit(at: now)
        for change in changes { change.undo(in: &commit) }
        return .commit(commit, ())
      }
    }
  }

  /// Stores a phone's next code and counts the request of the address; returns both changes.
  private func put(
    _ code: [UInt8], of phone: [UInt8], asker: [UInt8], at now: Foundation.Date
  ) async throws -> [MemberCodeChange] {
    try await store.database.write {
      .read(MemberCodeStore.byPhone(phone), MemberCodeStore.byPhone(asker)) { old, asked in
        let time = now.microseconds
        let next = try StoredMemberCode.next(
          after: old, hash: code, sendsMax: StoredMemberCode.sendsOfAllMax, at: time)
        let count = try StoredMemberCode.next(
          after: asked, hash: [], sendsMax: StoredMemberCode.sendsMax, at: time)
        var commit = Commit(at: now)
        MemberCodeStore.put(next, after: old, of: phone, in: &commit)
        MemberCodeStore.put(count, after: asked, of: asker, in: &commit)
        return .commit(
          commit,
          [
            MemberCodeChange(key: phone, old: old, next: next),
            MemberCodeChange(key: asker, old: asked, next: count),
          ])
      }
    }
  }

  /// Signs a union member in by a one-time code, or an applicant where no member has the phone.
  public func signInMember(
    _ request: SignInMemberRequest, context: ServerContext
  ) async throws -> SignInMemberResponse {
    let now = store.clock.now
    try store.sources.check(context.source, at: now)
    let phone = try Self.phone(request.phone)
    let (phoneHash, codeHash) = hashes(phone, request.code)
    let asker = askerHash(phone, context)
    guard request.code.utf8.count == 6,
      try await guess(codeHash, of: phoneHash, asker: asker, at: now)
    else {
      store.sources.failed(context.source, at: now)
      throw AccountFailure.signInRefused
    }
    let found = try await codes.owners(of: phone, within: context)
    let members = found.members.filter {
      request.memberNumber.isEmpty || $0.memberNumber == request.memberNumber
    }
    guard members.count <= 1 else { throw AccountFailure.memberAmbiguous }
    let isNobody = found.members.isEmpty && request.memberNumber.isEmpty
    let subject = members.first?.member ?? (isNobody ? found.applicant : "")
    guard !subject.isEmpty else { throw AccountFailure.signInRefused }
    return try await begin(subject, codeHash, of: phoneHash, asker: asker, at: now)
  }

  /// Whether the code is the phone's; counts the guess before it is checked, for its address and
  /// for the code.
  private func guess(
    _ codeHash: [UInt8], of phone: [UInt8], asker: [UInt8], at now: Foundation.Date
  ) async throws -> Bool {
    try await store.database.write {
      .read(MemberCodeStore.byPhone(phone), MemberCodeStore.byPhone(asker)) { stored, asked in
        let time = now.microseconds
        guard let stored, stored.isOpen(at: time),
          let count = stored.guessed(after: asked, at: time)
        else { return .reply(false) }
        var next = stored
        next.guesses += 1
        var commit = Commit(at: now)
        MemberCodeStore.put(next, after: stored, of: phone, in: &commit)
        MemberCodeStore.put(count, after: asked, of: asker, in: &commit)
        return .commit(commit, constantTimeEqual(stored.hash, codeHash))
      }
    }
  }

  /// Uses the code up and creates the session, after the code was found correct.
  private func begin(
    _ member: String, _ codeHash: [UInt8], of phone: [UInt8], asker: [UInt8],
    at now: Foundation.Date
  ) async throws -> SignInMemberResponse {
    let token = Secret(.session, ids: store.ids)
    let session = StoredSession(
      store.ids.next(), token: token, of: .member, String(member.dropFirst("members/".count)),
      .member, at: now.microseconds)
    return try await store.database.write {
      .read(MemberCodeStore.byPhone(phone)) { stored in
        guard let stored, stored.hash == codeHash else { throw AccountFailure.signInRefused }
        var used = stored
        used.hash = []
        used.sends = 0
        var commit = Commit(at: now)
        MemberCodeStore.put(used, after: stored, of: phone, in: &commit)
        MemberCodeStore.forget(asker, in: &commit)
        SessionStore.insert(session, into: &commit)
        commit.record(
          AuditEntry(actor: member, action: "gateway.sign_in_member", target: session.name))
        var response = SignInMemberResponse()
        response.session = session.message(current: session.name)
        response.token = token.text
        return .commit(commit, response)
      }
    }
  }

  private func hashes(_ phone: String, _ code: String) -> (phone: [UInt8], code: [UInt8]) {
    (store.hasher.hash("phone/\(phone)"), store.hasher.hash("code/\(phone)/\(code)"))
  }

  /// The key under which the requests and guesses of one address for a phone are counted.
  private func askerHash(_ phone: String, _ context: ServerContext) -> [UInt8] {
    store.hasher.hash("phone/\(phone) \(context.source)")
  }

  private static func phone(_ text: String) throws -> String {
    if let digits = MemberPhone.digits(text) { return digits }
    var checks = FieldChecks()
    checks.fail(
      "phone", text.isEmpty ? "REQUIRED" : "INVALID_PHONE", zh: "应为大陆手机号码。",
      en: "must be a mobile number of mainland China.")
    throw CommonFailure.invalidFields(checks.failures)
  }

  /// Generates six digits. The bias of the modulo is below one in 10^13.
  private static func code(_ ids: IDSource) -> String {
    let number = ids.bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } % 1_000_000
    let text = String(number)
    return String(repeating: "0", count: 6 - text.count) + text
  }
}

/// Delivery of members' codes and look-up of members by phone.
struct MemberCodes: Sendable {
  /// Time limit of the look-up.
  private static let lookupMax = Swift.Duration.seconds(5)

  /// Nil where none is configured.
  let sender: (any MemberCodeSender)?
  /// Channel to yijia-members with the gateway's workload identity.
  let registry: any RPC.Channel

  /// Returns the live members with a phone number, and the applicant with it. The look-up has the
  /// deadline and the trace of the call that is served.
  func owners(
    of phone: String, within context: ServerContext
  ) async throws -> FindPhoneMembersResponse {
    var request = FindPhoneMembersRequest()
    request.phone = phone
    var options = CallOptions(within: context)
    options.timeout = Self.lookupMax
    // The gateway's spans are of whole calls: the service's span is a child of the caller's.
    let metadata = context.metadata
    for name in ["traceparent", "tracestate"] {
      for case .text(let value) in metadata.values(name) { options.metadata.add(name, value) }
    }
    do {
      return try await MembersServiceClient(registry).findPhoneMembers(request, options: options)
    } catch let error as RPCError where error.code == .invalidArgument {
      return FindPhoneMembersResponse()
    } catch is RPCError {
      throw options.deadline?.hasPassed == true
        ? GatewayFailure.deadlineExceeded : .backendUnavailable(service: "members")
    }
  }
}
