/// Cuts a body into messages by gRPC's five-byte prefix: a flag and a big-endian length.
///
/// The size is checked on the prefix, before anything of the message is kept. A pure value.
@usableFromInline package struct MessageFramer: Sendable {
  @usableFromInline package static var prefixBytes: Int { 5 }

  /// What lies at the front of the buffer.
  package enum Front: Sendable, Hashable {
    /// Not a whole message yet.
    case incomplete
    /// A message, without its prefix, at that place of `bytes`.
    case message(Range<Int>)
    /// The body is not gRPC, or too large; the call fails with this.
    case violation(RPCError)
  }

  @usableFromInline package let messageBytesMax: Int
  @usableFromInline package private(set) var bytes: [UInt8] = []
  private var index = 0

  package init(messageBytesMax: Int) { self.messageBytesMax = messageBytesMax }

  /// Received bytes that no message has been taken from.
  package var unreadBytes: Int { bytes.count - index }

  package mutating func append(_ span: RawSpan) {
    if index > 0, index == bytes.count {
      bytes.removeAll(keepingCapacity: true)
      index = 0
    }
    span.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }

  /// Looks at the front without taking it.
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

  /// Messages that are here, the last perhaps not as a whole. Walks over them.
  var waitingMessages: Int {
    var count = 0
    var place = index
    while bytes.count - place >= Self.prefixBytes {
      count += 1
      place += Self.prefixBytes + Self.length(bytes, at: place)
    }
    return count
  }

  /// Takes the message that `front` gave.
  package mutating func take(_ message: Range<Int>) {
    index = message.upperBound
    if index == bytes.count {
      // Large buffers are let go, so that an idle stream holds little.
      bytes.removeAll(keepingCapacity: bytes.capacity <= 64 << 10)
      index = 0
    } else if index > 256 << 10 {
      bytes.removeSubrange(..<index)
      index = 0
    }
  }

  /// Whether the flag of the message that `front` gave is set.
  @usableFromInline package func isCompressed(_ message: Range<Int>) -> Bool {
    bytes[message.lowerBound - Self.prefixBytes] != 0
  }

  /// Decodes the message that `front` gave, in place unless it is compressed.
  @inlinable package func decode<Message: WireMessage>(
    _ message: Range<Int>, encoding: @autoclosure () -> MessageEncoding? = nil
  ) throws -> Message {
    let span = bytes.span.bytes.extracting(message)
    guard isCompressed(message) else { return try Self.decode(span) }
    return try Self.decode(
      framed: MessageEncoding.decompress(span, encoding(), messageBytesMax: messageBytesMax))
  }

  /// Takes the message that `front` gave, behind its prefix and decompressed; not copied where it
  /// is all there is.
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

  /// Takes everything that is unread, framed or not.
  package mutating func takeAll() -> [UInt8] {
    defer {
      bytes = []
      index = 0
    }
    return index == 0 ? bytes : Array(bytes[index...])
  }

  /// Refuses what may not follow: flags other than that of compression, too long a message.
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

  /// The flag and length of a span that begins with a prefix.
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

  /// Writes the prefix of the message that follows it.
  @usableFromInline static func writePrefix(_ bytes: inout [UInt8], isCompressed: Bool) {
    let length = UInt32(bytes.count - prefixBytes)
    bytes[0] = isCompressed ? 1 : 0
    bytes[1] = UInt8(truncatingIfNeeded: length >> 24)
    bytes[2] = UInt8(truncatingIfNeeded: length >> 16)
    bytes[3] = UInt8(truncatingIfNeeded: length >> 8)
    bytes[4] = UInt8(truncatingIfNeeded: length)
  }

  /// Decodes the one message behind its prefix.
  @inlinable package static func decode<Message: WireMessage>(framed bytes: [UInt8]) throws
    -> Message
  {
    try decode(bytes.span.bytes.extracting(prefixBytes..<bytes.count))
  }

  /// Decodes a message; one that cannot be is INTERNAL, by gRPC's status code document.
  @inlinable
  package static func decode<Message: WireMessage>(_ span: RawSpan) throws -> Message {
    do {
      return try Message(wire: span)
    } catch {
      throw codingError(error, "a message could not be decoded: \(error)")
    }
  }

  /// The error of a message that could not be coded, unless it says itself what it is.
  @usableFromInline
  static func codingError(_ error: any Error, _ text: @autoclosure () -> String) -> RPCError {
    error as? RPCError ?? RPCError(.internalError, text())
  }
}
