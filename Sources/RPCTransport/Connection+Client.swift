import HTTP2
import NIOCore
import RPC
import Synchronization

/// What only a client's connection has.
final class ClientSide: @unchecked Sendable {
  // Guard: all mutable state is touched on the connection's loop only; `isFull` is atomic.

  /// The peer takes no further stream now: what is opened waits.
  let isFull = Atomic(false)
  /// The request head that was sent last: calls repeat themselves.
  private var last: (head: HeaderList, sent: SentHead)?
  /// The backend, with what its other connections know.
  let endpoint: Endpoint?
  /// Calls under way at the backend at once.
  let callsMax: Int

  /// What came last of heads and trailers.
  struct Known {
    let copy: HeaderCopy
    let list: HeaderList
    /// What it says of the backend.
    let verdict: Endpoint.Verdict?
  }

  /// A head and trailers of two kinds of call.
  private static let listsMax = 4
  @exclusivity(unchecked) private(set) var lists: [Known] = []
  private var oldest = 0
  /// Streams the peer allows, by its last settings.
  var streamsMax = Int.max
  /// Calls begun on the connection.
  var callsBegun: UInt64 = 0
  var hasPinged = false
  var wasToldOfTooManyPings = false
  /// The stream of the health check, which is no call.
  var healthCheck: ClientExchange?
  fileprivate var lifetime: ClientLifetime?
  fileprivate var timer: (any ScheduledWork)?
  fileprivate var idle: (@Sendable () -> Void)?

  init(_ endpoint: Endpoint?, callsMax: Int) {
    self.endpoint = endpoint
    self.callsMax = callsMax
  }

  /// Whether the backend has all the calls it may have.
  var isAtLimit: Bool {
    endpoint.map { $0.active.load(ordering: .relaxed) >= callsMax } ?? false
  }

  /// A call began.
  func opened(_ openStreams: Int) {
    callsBegun &+= 1
    endpoint?.active.add(1, ordering: .relaxed)
    count(openStreams)
  }

  /// A call is over.
  func closed(_ openStreams: Int) {
    endpoint?.active.subtract(1, ordering: .relaxed)
    count(openStreams)
  }

  /// The connection is over, and the calls on it ended so.
  func ended(_ reasons: [CloseReason]) {
    endpoint?.active.subtract(reasons.count, ordering: .relaxed)
    let isLoss = reasons.contains {
      if case .connectionLost = $0 { true } else { false }
    }
    // However many calls it had, it is one failure.
    if isLoss { endpoint?.note(.failed) }
  }

  /// Keeps a list for comparison with those that follow.
  func keep(_ list: Known) {
    if lists.count < Self.listsMax { return lists.append(list) }
    lists[oldest] = list
    oldest = (oldest + 1) % Self.listsMax
  }

  /// The server takes nothing new; when it was our pings, they become fewer.
  func heardGoAway(_ code: ErrorCode) {
    if code == .enhanceYourCalm, hasPinged { wasToldOfTooManyPings = true }
  }

  /// Streams were opened or closed.
  func count(_ openStreams: Int) {
    let full = openStreams >= streamsMax
    if full != isFull.load(ordering: .relaxed) { isFull.store(full, ordering: .relaxed) }
  }
}

extension ClientSide {
  /// A request head in the session's form, kept for the next like it.
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

  /// A request head as the session takes it.
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

  /// - Parameter hasTimeout: The last field is what is left of the call's time.
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

  /// A request head with `:scheme` and `:authority` among the pseudo headers.
  private static func fields(
    _ list: HeaderList, authority: String, isTLS: Bool
  ) -> OutboundFields {
    var fields = OutboundFields()
    let bytes = list.bytes.span.bytes
    // `:scheme` with its value, and the name `:authority`.
    fields.reserve(bytes: list.bytes.count + 24 + authority.utf8.count, fields: list.count + 2)
    var needsScheme = true
    var needsAuthority = true
    var isPseudo = true
    func endPseudo() {
      isPseudo = false
      if needsScheme { fields.add(":scheme", isTLS ? "https" : "http") }
      if needsAuthority { fields.add(":authority", authority) }
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

  /// Secrets, and what is another with each call, stay out of the server's compression table.
  private static func isKept(out name: RawSpan) -> Bool {
    name.equals("grpc-timeout") || name.equals("authorization") || name.equals("x-api-key")
  }
}

extension Connection {
  /// The number of keepalive pings; 0 is the drain's.
  private static let keepalivePing: UInt64 = 1

  /// Whether calls that are sent now would wait for a stream. From any thread.
  var isFull: Bool { client?.isFull.load(ordering: .relaxed) ?? false }

  var wasToldOfTooManyPings: Bool { client?.wasToldOfTooManyPings ?? false }

  /// Pings the server and looks whether there are calls, from now on.
  /// - Parameter idle: called when there were none for long.
  func keep(_ lifetime: ClientLifetime, idle: @escaping @Sendable () -> Void) {
    guard let client else { return }
    client.lifetime = lifetime
    client.idle = idle
    look()
  }

  /// Sees what is due; as if so much time had passed, for tests.
  func look(after passed: Duration = .zero) {
    guard let client, !isClosed else { return }
    client.timer?.cancel()
    let now = NIODeadline.now().uptimeNanoseconds &+ passed.wholeNanoseconds
    let isBusy = session.openStreams > (client.healthCheck == nil ? 0 : 1)
    let facts = ClientLifetime.Facts(
      now: now, lastRead: lastRead, isBusy: isBusy, callsBegun: client.callsBegun,
      isDraining: draining != .no)
    guard let (action, wake) = client.lifetime?.due(facts) else { return }
    switch action {
    case .none: break
    case .ping:
      client.hasPinged = true
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

  /// Takes no new calls; closes when the last has ended. On the loop.
  func finish() {
    guard !isClosed else { return }
    guard isReady else { return close("the connection is not wanted any more") }
    if draining == .no { draining = .final }
    endHealthCheck()
    markDirty()
  }

  /// The health check would keep the connection open.
  func endHealthCheck() {
    client?.healthCheck?.exchange.reset(.cancel)
    client?.healthCheck = nil
  }

  /// Whether new calls may be sent.
  var takesCalls: Bool { !isClosed && draining == .no }

  /// How an exchange ends with the connection: what never left was never seen.
  func closeReason(of exchange: Exchange, _ reason: String) -> CloseReason {
    let stream = StreamKey(id: exchange.id.id, slot: exchange.id.slot)
    return client == nil || session.hasLeft(stream) ? .connectionLost(reason) : .unprocessed
  }

  /// A client gives up a call whose response head or trailers are over the limits.
  func refuses(_ block: HeaderBlock, of exchange: Exchange) -> Bool {
    guard client != nil, block.isOverLimit else { return false }
    (exchange.sink as? Inbox)?.fail(
      RPCError(.resourceExhausted, "the response's header list is over the limit"))
    exchange.reset(.cancel)
    return true
  }

  /// The connection is gone.
  func endClient() {
    client?.timer?.cancel()
    client?.idle = nil
    client?.healthCheck = nil
  }
}
