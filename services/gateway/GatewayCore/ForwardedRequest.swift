import RPC

/// The request of a forwarded call, as far as it was read: what may have to be sent again, and the
/// progress through its messages. A pure value.
struct ForwardedRequest: Sendable {
  /// Bytes of a request that are kept to be sent again, and at most one more part: as many as an
  /// exchange queues before it asks its writer to wait. Whatever waits for its turn on a connection
  /// is therefore kept.
  static let keptBytesMax = 64 << 10

  /// Everything that was read; without the body once that is not kept any more.
  private(set) var part = ExchangePart()
  /// Whether the request can be sent again.
  private(set) var isKept = true
  private var meter: MessageMeter

  /// - Parameter messageBytesMax: The longest message, in bytes.
  init(messageBytesMax: Int) {
    meter = MessageMeter(messageBytesMax: messageBytesMax)
  }

  /// Whether the complete request is kept.
  var isWhole: Bool { part.isEnd && isKept }

  /// Whether no more is read before the request is sent.
  var isEnough: Bool { part.isEnd || part.body.count >= Self.keptBytesMax }

  /// Returns the options of its exchange with the service. It is interactive if it is whole and
  /// small, and its caller makes only a few calls at once.
  func options(_ deadline: Deadline?, for caller: ServerExchange) -> ExchangeOptions {
    var options = ExchangeOptions(deadline: deadline)
    options.trafficClass = isWhole && !caller.exchange.transport.isCrowded ? .interactive : .bulk
    return options
  }

  /// Adds what was read next; returns false where a message in it exceeds the limit.
  mutating func add(_ more: ExchangePart) -> Bool {
    guard meter.pass(more.body) else { return false }
    part.isEnd = more.isEnd
    if !isKept || more.body.isEmpty { return true }
    if part.body.isEmpty {
      part.body = more.body
    } else if part.body.count < Self.keptBytesMax {
      part.body += more.body
    } else {
      forget()
    }
    return true
  }

  /// Drops what is kept: it cannot be sent again, or need not be.
  mutating func forget() {
    isKept = false
    part.body = []
  }
}
