/// Buffers what has arrived on an exchange until it is taken, as chunks or as messages.
///
/// Confined to the exchange's loop. Flow-control credit is returned when bytes are taken, and early
/// only for the message that is being assembled, which the size limit bounds.
@usableFromInline
package final class Inbox: ExchangeSink, @unchecked Sendable {
  // Guard: all mutable state is touched on `exchange.loop` only.
  @usableFromInline package let exchange: Exchange
  @exclusivity(unchecked) @usableFromInline private(set) var framer: MessageFramer
  @exclusivity(unchecked) private var uncredited = 0
  /// Whether the body is gRPC messages.
  package let isFramed: Bool
  /// The compression that the request head names (servers only; a client reads the response head).
  private let encoding: MessageEncoding?
  @exclusivity(unchecked) private var waiting: WaitPoint?

  @exclusivity(unchecked) package private(set) var head: HeaderList?
  @exclusivity(unchecked) package private(set) var trailers: HeaderList?
  @exclusivity(unchecked) package private(set) var hasEnded = false
  @exclusivity(unchecked) package private(set) var closeReason: CloseReason?
  /// Body bytes received so far.
  @exclusivity(unchecked) package private(set) var receivedBytes = 0
  @exclusivity(unchecked) private var takenMessages = 0
  /// The error that ended the inbox; the first failure wins.
  @exclusivity(unchecked) package private(set) var failure: RPCError?
  /// Whether the last message taken was compressed.
  @exclusivity(unchecked) package private(set) var lastWasCompressed = false
  /// The deadline of the call (clients only).
  @exclusivity(unchecked) var deadline: Deadline?
  /// Called once when the exchange is closed.
  @exclusivity(unchecked) package var onClosed: ((CloseReason) -> Void)?
  /// Called when the server starts to drain (servers only).
  @exclusivity(unchecked) package var onDrain: (() -> Void)?

  /// Creates the inbox of an exchange.
  /// - Parameter messageBytesMax: The receive limit of a message in bytes; nil for raw chunks.
  package init(_ exchange: Exchange, messageBytesMax: Int?, encoding: MessageEncoding? = nil) {
    self.exchange = exchange
    self.encoding = encoding
    isFramed = messageBytesMax != nil
    framer = MessageFramer(messageBytesMax: messageBytesMax ?? .max)
  }

  // MARK: - From the exchange

  package func received(head: HeaderList, endsStream: Bool) {
    self.head = head
    if endsStream { hasEnded = true }
    changed()
  }

  package func received(body bytes: RawSpan) {
    receivedBytes += bytes.byteCount
    guard failure == nil else { return exchange.consumed(bytes.byteCount) }
    framer.append(bytes)
    uncredited += bytes.byteCount
    if isFramed {
      switch framer.front() {
      case .incomplete:
        credit(uncredited)
        countHeld()
      case .message: changed()
      case .violation(let error): fail(error)
      }
    } else {
      changed()
    }
  }

  package func receivedEnd(trailers: HeaderList?) {
    self.trailers = trailers
    hasEnded = true
    changed()
  }

  package func serverDrains() { onDrain?() }

  package func requestStalled(_ error: RPCError) {
    // Unread bytes mean that the reader is slow, not the peer.
    if framer.unreadBytes == 0 { fail(error) }
  }

  package func discard() {
    fail(RPCError(.cancelled, "the exchange was answered"))
    _ = framer.takeAll()
  }

  package func closed(_ reason: CloseReason) {
    closeReason = reason
    if !hasEnded, failure == nil { failure = error(for: reason) }
    changed()
    let told = onClosed
    onClosed = nil
    onDrain = nil
    told?(reason)
  }

  private func error(for reason: CloseReason) -> RPCError {
    // Where the deadline passes, a server that knows it cancels the call, and may be the first.
    if reason == .reset(.cancel), deadline?.hasPassed == true { return .deadlinePassed }
    return StatusMapping.error(for: reason)
  }

  /// Ends the inbox with an error, which waiting readers get; only the first error counts.
  package func fail(_ error: RPCError) {
    guard failure == nil else { return }
    failure = error
    credit(uncredited)
    if isFramed { exchange.hold(0) }
    changed()
  }

  private func changed() {
    waiting?.signal()
    exchange.listener?.exchangeChanged(exchange)
  }

  private func credit(_ count: Int) {
    guard count > 0 else { return }
    uncredited -= count
    exchange.consumed(count)
  }

  /// Reports the buffered bytes of an incomplete message, whose credit was returned early. Fails
  /// the inbox if there are too many of them.
  private func countHeld() {
    guard failure == nil,
      let error = exchange.hold(max(0, framer.unreadBytes - uncredited)).refusal
    else { return }
    _ = framer.takeAll()
    fail(error)
  }

  // MARK: - For the reader

  /// Takes the next message if it has arrived and takes no turns: a compressed or large one is left
  /// to `nextMessage`.
  @inlinable
  package func takeMessage<Message: WireMessage>(_: Message.Type) throws -> Message? {
    guard let place = try front(), !framer.isCompressed(place),
      place.count <= MessageFramer.largeBytes
    else { return nil }
    defer { taken(place) }
    return try framer.decode(place)
  }

  /// Takes the message that is at the front, decompressed and decoded in turns. It stays there
  /// meanwhile, since there is one reader.
  @usableFromInline
  nonisolated(nonsending) func takeInTurns<Message: WireMessage>(
    _: Message.Type
  ) async throws -> Message? {
    guard let place = try front() else { return nil }
    let start = place.lowerBound - MessageFramer.prefixBytes
    var framed = Array(framer.bytes[start..<place.upperBound])
    let queue = exchange.transport.largeMessages
    if framer.isCompressed(place) {
      guard let encoding = messageEncoding else { throw MessageEncoding.unknown }
      framed = try await encoding.decompress(
        framed: framed, messageBytesMax: framer.messageBytesMax, queue: queue)
    }
    let message: Message = try await queue.run(onBytes: framed.count) { [framed] in
      try MessageFramer.decode(framed: framed)
    }
    // The call may have ended meanwhile, and what was buffered is gone.
    guard let place = try front() else { return nil }
    taken(place)
    return message
  }

  /// Takes the next message with its prefix, decompressed, if it has arrived.
  func takeFramed() throws(RPCError) -> [UInt8]? {
    guard let place = try front() else { return nil }
    lastWasCompressed = framer.isCompressed(place)
    let framed = try framer.takeFramed(place, encoding: messageEncoding)
    creditTaken(place.count + MessageFramer.prefixBytes)
    return framed
  }

  /// Returns the location of the next message if it has arrived.
  @usableFromInline
  func front() throws(RPCError) -> Range<Int>? {
    if let failure { throw failure }
    switch framer.front() {
    case .incomplete: return nil
    case .violation(let error):
      fail(error)
      throw error
    case .message(let place): return place
    }
  }

  @usableFromInline
  var messageEncoding: MessageEncoding? { encoding ?? MessageEncoding(ofHead: head) }

  @usableFromInline
  func taken(_ message: Range<Int>) {
    lastWasCompressed = framer.isCompressed(message)
    framer.take(message)
    creditTaken(message.count + MessageFramer.prefixBytes)
  }

  /// Whether the caller runs on the exchange's loop, and so may take messages.
  @usableFromInline
  var isOnLoop: Bool { exchange.loop.isCurrent }

  /// Returns credit to the peer: that of a message that was taken, or all if the next one is
  /// incomplete.
  private func creditTaken(_ count: Int) {
    takenMessages += 1
    if case .incomplete = framer.front() {
      credit(uncredited)
    } else {
      credit(min(uncredited, count))
    }
    countHeld()
  }

  /// Takes all unread bytes; nil if there are none.
  package func takeChunk() throws -> [UInt8]? {
    guard framer.unreadBytes > 0 else {
      if let failure { throw failure }
      return nil
    }
    let chunk = framer.takeAll()
    credit(uncredited)
    return chunk
  }

  /// Bytes that have arrived and were not taken.
  package var unreadBytes: Int { framer.unreadBytes }

  /// Bytes of the messages received, taken or not, without their prefixes.
  package var receivedMessageBytes: Int {
    let messages = takenMessages + framer.waitingMessages
    return max(0, receivedBytes - messages * MessageFramer.prefixBytes)
  }

  /// Whether more than the front message has arrived.
  var hasMoreThanOne: Bool {
    guard case .message(let place) = framer.front() else { return false }
    return framer.unreadBytes > place.count + MessageFramer.prefixBytes
  }

  /// Whether the peer has ended and everything was taken.
  package var isAtEnd: Bool { hasEnded && framer.unreadBytes == 0 }

  /// Whether the peer ended within a message.
  package var isCut: Bool {
    guard hasEnded, framer.unreadBytes > 0 else { return false }
    return framer.front() == .incomplete
  }

  /// Suspends until something changes. Call only from a task that prefers the loop.
  package nonisolated(nonsending) func wait() async throws(RPCError) {
    if Task.isCancelled { throw RPCError(.cancelled, "the task was cancelled") }
    let point = waiting ?? WaitPoint(loop: exchange.loop)
    waiting = point
    await point.wait()
  }

  /// Returns the next message, or nil at the end. Call only from a task that prefers the loop.
  @inlinable
  package nonisolated(nonsending) func nextMessage<Message: WireMessage>(
    _: Message.Type
  ) async throws -> Message? {
    guard try await waitForMessage() else { return nil }
    if let message = try takeMessage(Message.self) { return message }
    return try await takeInTurns(Message.self)
  }

  /// Returns the next message, or nil at the end. Safe to call from any task.
  @inlinable
  package func nextMessageOnLoop<Message: WireMessage>(
    _: Message.Type
  ) async throws -> Message? {
    try await exchange.onLoop { try await nextMessage(Message.self) }
  }

  /// Waits for a message; returns false if there will be none.
  @usableFromInline
  nonisolated(nonsending) func waitForMessage() async throws -> Bool {
    while true {
      if try front() != nil { return true }
      if isAtEnd { return false }
      if isCut {
        // The status of a response says why, for instance that its service has gone.
        let status = head == nil ? nil : endedWith
        let error =
          status ?? RPCError(.internalError, "the stream ended in the middle of a message")
        fail(error)
        throw error
      }
      try await wait()
    }
  }

  /// Returns the next bytes, or nil at the end. Call only from a task that prefers the loop.
  package nonisolated(nonsending) func nextChunk() async throws -> [UInt8]? {
    while true {
      if let chunk = try takeChunk() { return chunk }
      if isAtEnd { return nil }
      try await wait()
    }
  }
}
