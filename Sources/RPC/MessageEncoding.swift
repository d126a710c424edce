import Compression

/// How single messages are compressed, by gRPC's names. None is `identity` on the wire.
/// Source: <https://github.com/grpc/grpc/blob/master/doc/compression.md>.
public enum MessageEncoding: String, Sendable, Hashable, CaseIterable {
  /// RFC 1952.
  case gzip
  /// The zlib format (RFC 1950), as HTTP means it, not bare deflated bytes.
  case deflate

  /// What `grpc-accept-encoding` says: everything there is.
  package static let acceptList = "identity,deflate,gzip"

  package init?(wire name: RawSpan) {
    if name.equals("gzip") {
      self = .gzip
    } else if name.equals("deflate") {
      self = .deflate
    } else {
      return nil
    }
  }

  /// What a response head names.
  package init?(ofHead head: HeaderList?) {
    guard let head, let index = head.firstIndex(of: "grpc-encoding") else { return nil }
    guard let named = head.withValue(at: index, { Self(wire: $0) }) else { return nil }
    self = named
  }

  private var format: Format {
    switch self {
    case .gzip: .gzip
    case .deflate: .zlib
    }
  }

  /// Compresses the message behind its prefix; one that gets no smaller stays as it is.
  package func compress(framed bytes: [UInt8]) throws(RPCError) -> [UInt8] {
    let prefix = MessageFramer.prefixBytes
    do {
      var packed = try format.compress(
        bytes.span.bytes.extracting(prefix..<bytes.count), headroom: prefix)
      guard packed.count < bytes.count else { return bytes }
      MessageFramer.writePrefix(&packed, isCompressed: true)
      return packed
    } catch {
      throw RPCError(.internalError, "a message could not be compressed: \(error)")
    }
  }

  /// Restores a message, behind room for a prefix. The limit is checked while that is done.
  package func decompress(_ bytes: RawSpan, messageBytesMax: Int) throws(RPCError) -> [UInt8] {
    do {
      return try format.decompress(
        bytes, outputBytesMax: messageBytesMax, headroom: MessageFramer.prefixBytes)
    } catch {
      throw Self.error(error, messageBytesMax: messageBytesMax)
    }
  }

  private static func error(_ error: CompressionError, messageBytesMax: Int) -> RPCError {
    switch error {
    case .tooLarge:
      RPCError(
        .resourceExhausted, "a message is larger than \(messageBytesMax) bytes when decompressed")
    default: RPCError(.internalError, "a message could not be decompressed: \(error)")
    }
  }

  /// Output produced before the loop serves others, about a hundred microseconds of work. Three
  /// kilobytes may decompress to three megabytes.
  private static let partBytes = 32 << 10
  /// The time after which it does all the same: four megabytes may decompress to nothing.
  private static let partMax: Duration = .microseconds(100)

  /// Decompresses the message behind its prefix: at once what takes no longer than two parts, a
  /// large one in parts. On the loop.
  package nonisolated(nonsending) func decompress(
    framed: [UInt8], messageBytesMax: Int, queue: LargeMessageQueue
  ) async throws -> [UInt8] {
    let prefix = MessageFramer.prefixBytes
    do {
      let inflater = try Inflater.current()
      try inflater.begin(format, outputBytesMax: messageBytesMax, headroom: prefix)
      let isDone = try inflater.proceed(
        framed.span.bytes.extracting(prefix..<framed.count), outputBytes: Self.partBytes,
        for: Self.partMax * 2)
      let output = inflater.takeOutput()
      if isDone { return output }
    } catch {
      throw Self.error(error, messageBytesMax: messageBytesMax)
    }
    try await queue.begin()
    defer { queue.end() }
    do throws(CompressionError) {
      let inflater = try Inflater()
      try inflater.begin(
        format, outputBytesMax: messageBytesMax, headroom: prefix, inputBytes: framed.count)
      while true {
        await queue.pause()
        if Task.isCancelled { break }
        let isDone = try inflater.proceed(
          framed.span.bytes.extracting(prefix..<framed.count), outputBytes: Self.partBytes,
          for: Self.partMax)
        if isDone { return inflater.takeOutput() }
      }
    } catch {
      throw Self.error(error, messageBytesMax: messageBytesMax)
    }
    // Given up meanwhile.
    throw CancellationError()
  }

  static let unknown = RPCError(
    .internalError, "a message is compressed, but no known encoding was named")

  /// Restores a message whose flag is set; without an agreed encoding that is an error.
  @usableFromInline package static func decompress(
    _ bytes: RawSpan, _ encoding: MessageEncoding?, messageBytesMax: Int
  ) throws(RPCError) -> [UInt8] {
    guard let encoding else { throw unknown }
    return try encoding.decompress(bytes, messageBytesMax: messageBytesMax)
  }
}
