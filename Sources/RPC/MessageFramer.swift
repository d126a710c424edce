/// Splits a body into messages by gRPC's five-byte prefix: a flag and a big-endian length.
///
/// The size is checked as soon as the prefix is there, before the message is buffered. A pure
/// value.
@usableFromInline package struct MessageFramer: Sendable {
  @inlinable package static var prefixBytes: Int { 5 }

  /// The size above which a message is decoded on another thread. A byte takes up to 30 ns, where
  /// all fields are short and unknown, so that 64 KiB hold up the loop for two milliseconds.
  @inlinable package static var largeBytes: Int { 64 << 10 }

  /// The state of the front of the buffer.
  package enum Front: Sendable, Hashable {
    /// No complete message.
    case incomplete
    /// A complete message, at this range of `bytes`, without its prefix.
    case message(Range<Int>)
    /// The body is not gRPC, or a message is too large; the call fails with this error.
    case violation(RPCError)
  }

  @usableFromInline package let messageBytesMax: Int
  @usableFromInline package private(set) var bytes: [UInt8] = []
  private var index = 0

  package init(messageBytesMax: Int) { self.messageBytesMax = messageBytesMax }

  /// Received bytes that were not taken.
  package var unreadBytes: Int { bytes.count - index }

  package mutating func append(_ span: RawSpan) {
    if index > 0, index == bytes.count {
      bytes.removeAll(keepingCapacity: true)
      index = 0
    }
    span.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }

  /// Returns the state of the front without taking anything.
  package func front() -> Front {
    guard unreadBytes >= Self.prefixBytes else { return .incomplete }
    let flag = bytes[index]
    let length = Self.length(bytes, at: index)
    if let error = Self.check(flag: flag, length: length, messageBytesMax: messageBytesMax) {
      return .violation(error)
    }
    let start = index + Self.prefixBytes
    guard bytes.count - start >= length else { return .incomplete }
    return .message(start..<start + length)
  }

  /// The number of messages in the buffer, the last perhaps incomplete. Linear in that number.
  var waitingMessages: Int {
    var count = 0
    var place = index
    while bytes.count - place >= Self.prefixBytes {
      count += 1
      place += Self.prefixBytes + Self.length(bytes, at: place)
    }
    return count
  }

  /// Takes the message that `front` returned.
  package mutating func take(_ message: Range<Int>) {
    index = message.upperBound
    if index == bytes.count {
      // Large buffers are released, so that an idle stream uses little memory.
      bytes.removeAll(keepingCapacity: bytes.capacity <= 64 << 10)
      index = 0
    } else if index > 256 << 10 {
      bytes.removeSubrange(..<index)
      index = 0
    }
  }

  /// Returns whether the compressed flag of the message that `front` returned is set.
  @usableFromInline package func isCompressed(_ message: Range<Int>) -> Bool {
    bytes[message.lowerBound - Self.prefixBytes] != 0
  }

  /// Decodes the message that `front` returned, in place unless it is compressed.
  @inlinable package func decode<Message: WireMessage>(
    _ message: Range<Int>, encoding: @autoclosure () -> MessageEncoding? = nil
  ) throws -> Message {
    let span = bytes.span.bytes.extracting(message)
    guard isCompressed(message) else { return try Self.decode(span) }
    return try Self.decode(
      framed: MessageEncoding.decompress(span, encoding(), messageBytesMax: messageBytesMax))
  }

  /// Takes the message that `front` returned, with its prefix and decompressed. It is not copied if
  /// the buffer holds nothing else.
  package mutating func takeFramed(
    _ message: Range<Int>, encoding: @autoclosure () -> MessageEncoding?
  ) throws(RPCError) -> [UInt8] {
    if message == Self.prefixBytes..<bytes.count, !isCompressed(message) { return takeAll() }
    defer { take(message) }
    guard isCompressed(message) else {
      return Array(bytes[message.lowerBound - Self.prefixBytes..<message.upperBound])
    }
    return try MessageEncoding.decompress(
      bytes.span.bytes.extracting(message), encoding(), messageBytesMax: messageBytesMax)
  }

  /// Takes all unread bytes, framed or not.
  package mutating func takeAll() -> [UInt8] {
    defer {
      bytes = []
      index = 0
    }
    return index == 0 ? bytes : Array(bytes[index...])
  }

  /// Returns the error of a prefix with unknown flags or an excessive length; nil if it is valid.
  package static func check(flag: UInt8, length: Int, messageBytesMax: Int) -> RPCError? {
    if flag > 1 { return RPCError(.internalError, "a message has unknown flags \(flag)") }
    if length > messageBytesMax {
      return RPCError(
        .resourceExhausted, "a message of \(length) bytes is larger than \(messageBytesMax)")
    }
    return nil
  }

  private static func length(_ bytes: [UInt8], at index: Int) -> Int {
    Int(bytes[index + 1]) << 24 | Int(bytes[index + 2]) << 16 | Int(bytes[index + 3]) << 8
      | Int(bytes[index + 4])
  }

  /// Returns the flag and the length of the prefix at the start of a span.
  package static func prefix(of span: RawSpan) -> (flag: UInt8, length: Int) {
    let length = span.unsafeLoadUnaligned(fromByteOffset: 1, as: UInt32.self).bigEndian
    return (span.unsafeLoad(fromByteOffset: 0, as: UInt8.self), Int(length))
  }

  /// Encodes a message behind its prefix.
  @inlinable package static func frame(_ message: some WireMessage) throws -> [UInt8] {
    var bytes: [UInt8]
    do {
      bytes = try message.wireBytes(headroom: prefixBytes)
    } catch {
      throw codingError(error, "a message could not be encoded")
    }
    writePrefix(&bytes, isCompressed: false)
    return bytes
  }

  /// Writes the prefix in front of the message.
  @usableFromInline static func writePrefix(_ bytes: inout [UInt8], isCompressed: Bool) {
    let length = UInt32(bytes.count - prefixBytes)
    bytes[0] = isCompressed ? 1 : 0
    bytes[1] = UInt8(truncatingIfNeeded: length >> 24)
    bytes[2] = UInt8(truncatingIfNeeded: length >> 16)
    bytes[3] = UInt8(truncatingIfNeeded: length >> 8)
    bytes[4] = UInt8(truncatingIfNeeded: length)
  }

  /// Decodes the single message behind its prefix.
  @inlinable package static func decode<Message: WireMessage>(framed bytes: [UInt8]) throws
    -> Message
  {
    try decode(bytes.span.bytes.extracting(prefixBytes..<bytes.count))
  }

  /// Decodes a message. One that is malformed is INTERNAL, by gRPC's status code document.
  @inlinable
  package static func decode<Message: WireMessage>(_ span: RawSpan) throws -> Message {
    do {
      return try Message(wire: span)
    } catch {
      throw codingError(error, "a message could not be decoded: \(error)")
    }
  }

  /// Returns the error of a message that failed to encode or decode: INTERNAL, unless `error` is an
  /// `RPCError`.
  @usableFromInline
  static func codingError(_ error: any Error, _ text: @autoclosure () -> String) -> RPCError {
    error as? RPCError ?? RPCError(.internalError, text())
  }
}
