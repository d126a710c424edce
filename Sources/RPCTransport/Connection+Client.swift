import HTTP2
import NIOCore
import RPC
import Synchronization

/// The state that only a client's connection has. Confined to the connection's loop.
final class ClientSide: @unchecked Sendable {
  // Guard: all mutable state is touched on the connection's loop only; `isFull` is atomic.

  /// Whether the peer accepts no further stream at the moment, so that new ones wait.
  let isFull = Atomic(false)
  /// The last request head that was sent, since calls repeat themselves.
  @exclusivity(unchecked) private var last: (head: HeaderList, sent: SentHead)?
  /// The backend, with the statistics that its connections share.
  let endpoint: Endpoint?
  /// The limit of calls in flight at the backend.
  let callsMax: Int

  /// A response head or trailers received recently.
  struct Known {
    let copy: HeaderCopy
    let list: HeaderList
    /// What the list tells of the backend.
    let verdict: Endpoint.Verdict?
  }

  /// Lists that are kept: the head and the trailers of two kinds of call.
  private static let listsMax = 4
  @exclusivity(unchecked) private(set) var lists: [Known] = []
  @exclusivity(unchecked) private var oldest = 0
  /// The number of streams that the peer allows, by its last SETTINGS.
  @exclusivity(unchecked) var streamsMax = Int.max
  /// The number of calls begun on the connection.
  @exclusivity(unchecked) var callsBegun: UInt64 = 0
  /// The server's complaint of too many pings, which counts once.
  @exclusivity(unchecked) private var complaint = Complaint.none
  /// The stream of the health check, which does not count as a call.
  @exclusivity(unchecked) var healthCheck: ClientExchange?
  /// The task that keeps the health check going.
  @exclusivity(unchecked) var healthWatch: Task<Void, Never>?
  /// Whether the connection was closed with calls in flight.
  fileprivate var wasBusy = false
  fileprivate var lifetime: ClientLifetime?
  fileprivate var timer: (any ScheduledWork)?
  fileprivate var idle: (@Sendable () -> Void)?

  init(_ endpoint: Endpoint?, callsMax: Int) {
    self.endpoint = endpoint
    self.callsMax = callsMax
  }

  /// Whether the backend has reached its limit of calls.
  var isAtLimit: Bool {
    endpoint.map { $0.active.load(ordering: .relaxed) >= callsMax } ?? false
  }

  /// Counts a call that began, or the health check.
  func opened(_ openStreams: Int, isCall: Bool) {
    callsBegun &+= 1
    if isCall { endpoint?.active.add(1, ordering: .relaxed) }
    count(openStreams)
  }

  /// Adds back the health check, whose stream's end is subtracted as that of a call.
  func healthCheckEnded() {
    healthCheck = nil
    endpoint?.active.add(1, ordering: .relaxed)
  }

  /// Counts a call that ended.
  func closed(_ openStreams: Int) {
    endpoint?.active.subtract(1, ordering: .relaxed)
    count(openStreams)
  }

  /// Counts the calls that ended with the connection.
  func ended(_ reasons: [CloseReason]) {
    endpoint?.active.subtract(reasons.count, ordering: .relaxed)
    let isLoss = reasons.contains {
      if case .connectionLost = $0 { true } else { false }
    }
    // The loss of a connection is a single failure, however many calls it had, and none without.
    if isLoss, wasBusy { endpoint?.note(.failed) }
  }

  /// Keeps a list, to compare later ones with it.
  func keep(_ list: Known) {
    if lists.count < Self.listsMax { return lists.append(list) }
    lists[oldest] = list
    oldest = (oldest + 1) % Self.listsMax
  }

  private enum Complaint { case none, heard, heeded }

  /// Handles a GOAWAY, which may complain of too many pings. Source: gRFC A8.
  func heardGoAway(_ code: ErrorCode, isAboutPings: Bool) {
    if code == .enhanceYourCalm, isAboutPings, complaint == .none { complaint = .heard }
  }

  /// Returns whether there is a complaint of too many pings that was not taken yet.
  func takeComplaint() -> Bool {
    guard complaint == .heard else { return false }
    complaint = .heeded
    return true
  }

  /// Updates `isFull` after a stream was opened or closed.
  func count(_ openStreams: Int) {
    let full = openStreams >= streamsMax
    if full != isFull.load(ordering: .relaxed) { isFull.store(full, ordering: .relaxed) }
  }
}

extension ClientSide {
  /// A request head in the session's form, kept for the next equal one.
  private final class SentHead: Sendable {
    let authority: String
    let isTLS: Bool
    let fields: OutboundFields

    init(_ list: HeaderList, authority: String, isTLS: Bool) {
      self.authority = authority
      self.isTLS = isTLS
      fields = ClientSide.fields(list, authority: authority, isTLS: isTLS)
    }
  }

  /// Returns a request head in the session's form.
  func outbound(_ head: RequestHead, authority: String, isTLS: Bool) -> OutboundFields {
    let list = head.fields
    if let memo = head.memo, head.timeoutPlace.map({ $0 == list.count - 1 }) ?? true {
      return outbound(list, memo, hasTimeout: head.timeoutPlace != nil, authority, isTLS)
    }
    if let last, last.head.isIdentical(to: list), last.sent.authority == authority {
      return last.sent.fields
    }
    let sent = SentHead(list, authority: authority, isTLS: isTLS)
    last = (list, sent)
    return sent.fields
  }

  /// Returns the head with a memo in the session's form.
  /// - Parameter hasTimeout: Whether the last field is `grpc-timeout`.
  private func outbound(
    _ list: HeaderList, _ memo: HeadMemo, hasTimeout: Bool, _ authority: String, _ isTLS: Bool
  ) -> OutboundFields {
    let sent: SentHead
    if let known = memo.outbound as? SentHead, known.authority == authority, known.isTLS == isTLS {
      sent = known
    } else {
      let rest =
        hasTimeout ? HeaderList(sharing: list, fields: Array(list.fields.dropLast())) : list
      sent = SentHead(rest, authority: authority, isTLS: isTLS)
      memo.outbound = sent
    }
    guard hasTimeout else { return sent.fields }
    return list.withField(at: list.count - 1) { name, value in
      var fields = sent.fields
      fields.add(name: name, value: value, isIndexed: false)
      return fields
    }
  }

  /// Returns a request head with `:scheme` and `:authority` among the pseudo-headers.
  private static func fields(
    _ list: HeaderList, authority: String, isTLS: Bool
  ) -> OutboundFields {
    var fields = OutboundFields()
    let bytes = list.bytes.span.bytes
    // For `:scheme` and `user-agent` with their values, and the name `:authority`.
    fields.reserve(bytes: list.bytes.count + 56 + authority.utf8.count, fields: list.count + 3)
    var needsScheme = true
    var needsAuthority = true
    var isPseudo = true
    func endPseudo() {
      isPseudo = false
      if needsScheme { fields.add(":scheme", isTLS ? "https" : "http") }
      if needsAuthority { fields.add(":authority", authority) }
      // Before the custom metadata, as gRPC's PROTOCOL-HTTP2 asks for.
      if list.firstIndex(of: "user-agent") == nil { fields.add("user-agent", Self.userAgent) }
    }
    for field in list.fields {
      let name = bytes.extracting(field.nameRange)
      if isPseudo {
        if name.equals(":scheme") { needsScheme = false }
        if name.equals(":authority") { needsAuthority = false }
        if !name.starts(with: ":") { endPseudo() }
      }
      fields.add(
        name: name, value: bytes.extracting(field.valueRange),
        isIndexed: !isKept(out: name))
    }
    if isPseudo { endPseudo() }
    return fields
  }

  /// The `user-agent` of a head that has none. Source: gRPC's PROTOCOL-HTTP2, User Agents.
  private static let userAgent = "grpc-swift-yijia/1.0.0"

  /// Returns whether a field stays out of the server's compression table, because it is secret or
  /// different with each call.
  private static func isKept(out name: RawSpan) -> Bool {
    name.equals("grpc-timeout") || name.equals("authorization") || name.equals("x-api-key")
  }
}

extension Connection {
  /// The payload of keepalive pings; 0 is that of the drain.
  private static let keepalivePing: UInt64 = 1

  /// Whether calls that are sent now would wait for a stream. Safe to read from any thread.
  var isFull: Bool { client?.isFull.load(ordering: .relaxed) ?? false }

  /// Starts keepalive pings and idle checks.
  /// - Parameter idle: Called when there have been no calls for the idle time.
  func keep(_ lifetime: ClientLifetime, idle: @escaping @Sendable () -> Void) {
    guard let client else { return }
    client.lifetime = lifetime
    client.idle = idle
    look()
  }

  /// Carries out what is due.
  /// - Parameter passed: The time to add to the clock, for tests.
  func look(after passed: Duration = .zero) {
    guard let client, !isClosed else { return }
    client.timer?.cancel()
    let now = NIODeadline.now().uptimeNanoseconds &+ passed.wholeNanoseconds
    let facts = ClientLifetime.Facts(
      now: now, lastRead: lastRead, isBusy: isBusy, callsBegun: client.callsBegun,
      isDraining: draining != .no)
    guard let (action, wake) = client.lifetime?.due(facts) else { return }
    switch action {
    case .none: break
    case .ping:
      session.submitPing(Self.keepalivePing)
      markDirty()
    case .giveUp: return close("the server did not answer a keepalive ping")
    case .idle:
      client.idle?()
      return
    }
    guard let wake else { return }
    let delay = Duration.nanoseconds(Int64(clamping: wake > now ? wake - now : 1))
    client.timer = executor.schedule(after: delay) { [self] in look() }
  }

  /// Accepts no new calls, and closes when the last one has ended. Call on the loop.
  func finish() {
    guard !isClosed else { return }
    guard isReady else { return close("the connection is not wanted any more") }
    if draining == .no { draining = .final }
    endHealthCheck()
    markDirty()
  }

  /// Ends the health check, which would keep the connection open.
  func endHealthCheck() {
    client?.healthCheck?.exchange.reset(.cancel)
    client?.healthCheck = nil
    client?.healthWatch?.cancel()
    client?.healthWatch = nil
  }

  /// Whether calls are in flight, besides the health check.
  private var hasCalls: Bool { session.openStreams > (client?.healthCheck == nil ? 0 : 1) }

  /// The same or, if the connection is closed, whether calls were in flight then.
  var isBusy: Bool { isClosed ? client?.wasBusy == true : hasCalls }

  /// Whether new calls may be sent.
  var takesCalls: Bool { !isClosed && draining == .no }

  /// Returns why an exchange ended with the connection, and whether its request has ever left.
  func closeReason(of exchange: Exchange, _ reason: String) -> CloseReason {
    let stream = StreamKey(id: exchange.id.id, slot: exchange.id.slot)
    return client == nil || session.hasLeft(stream) ? .connectionLost(reason) : .unsent
  }

  /// Resets a call if its trailers, or a client's response head, exceed the limits; returns whether
  /// they do. A server does that with the code that means RESOURCE_EXHAUSTED.
  func refuses(_ block: HeaderBlock, of exchange: Exchange) -> Bool {
    guard block.isOverLimit else { return false }
    guard client != nil else {
      exchange.reset(.enhanceYourCalm)
      return true
    }
    (exchange.sink as? Inbox)?.fail(
      RPCError(.resourceExhausted, "the response's header list is over the limit"))
    exchange.reset(.cancel)
    return true
  }

  /// Releases the client's state of a closed connection.
  func endClient() {
    client?.wasBusy = hasCalls
    client?.timer?.cancel()
    client?.idle = nil
    client?.healthCheck = nil
    // It may wait to ask again, longer than its loop lives.
    client?.healthWatch?.cancel()
    client?.healthWatch = nil
  }
}
