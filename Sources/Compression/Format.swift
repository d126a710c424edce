/// A container of deflated bytes.
public enum Format: Sendable, Hashable, CaseIterable {
  /// RFC 1952.
  case gzip
  /// RFC 1950, which HTTP and gRPC call `deflate`.
  case zlib
}

extension Format {
  /// Compresses bytes; the result starts with `headroom` zero bytes.
  ///
  /// Blocks until it is done. Safe to call from any thread: each keeps one state a format.
  /// - Throws: `outOfMemory`.
  public func compress(
    _ bytes: RawSpan, headroom: Int = 0
  ) throws(CompressionError) -> [UInt8] {
    try Deflater.current(self).compress(bytes, headroom: headroom)
  }

  /// Restores bytes that are one whole stream of this format and nothing else; the result starts
  /// with `headroom` zero bytes, which do not count against the limit.
  ///
  /// The limit is checked while inflating: a bomb costs no more time and memory than an honest
  /// output of that size. Blocks until it is done. Safe to call from any thread, as `compress`.
  /// - Throws: `tooLarge`, `corrupt`, `outOfMemory`.
  public func decompress(
    _ bytes: RawSpan, outputBytesMax: Int, headroom: Int = 0
  ) throws(CompressionError) -> [UInt8] {
    try Inflater.current().decompress(
      bytes, self, outputBytesMax: outputBytesMax, headroom: headroom)
  }

  /// The base-two logarithm of the window, 15 being the largest and usual, and 16 more for gzip's
  /// header. Source: zlib.h, deflateInit2.
  var windowBits: Int32 {
    switch self {
    case .gzip: 15 + 16
    case .zlib: 15
    }
  }
}
