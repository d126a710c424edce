/// A container format of deflated data.
public enum Format: Sendable, Hashable, CaseIterable {
  /// The gzip format, RFC 1952.
  case gzip
  /// The zlib format, RFC 1950, which HTTP and gRPC call `deflate`.
  case zlib
}

extension Format {
  /// Compresses bytes; the result starts with `headroom` zero bytes.
  ///
  /// Blocks until it is done. Safe to call from any thread: each keeps one compressor a format.
  /// - Throws: `outOfMemory`.
  public func compress(
    _ bytes: RawSpan, headroom: Int = 0
  ) throws(CompressionError) -> [UInt8] {
    try Deflater.current(self).compress(bytes, headroom: headroom)
  }

  /// Decompresses bytes that are exactly one stream of this format; the result starts with
  /// `headroom` zero bytes, which do not count against the limit.
  ///
  /// The limit is checked while inflating: a bomb costs no more time and memory than an honest
  /// output of that size. Blocks until it is done. Safe to call from any thread, like `compress`.
  /// - Throws: `tooLarge`, `corrupt`, `outOfMemory`.
  public func decompress(
    _ bytes: RawSpan, outputBytesMax: Int, headroom: Int = 0
  ) throws(CompressionError) -> [UInt8] {
    try Inflater.current().decompress(
      bytes, self, outputBytesMax: outputBytesMax, headroom: headroom)
  }

  /// The base-two logarithm of the window size: 15, the largest and usual one, plus 16 for the
  /// header of gzip. Source: zlib.h, deflateInit2.
  var windowBits: Int32 {
    switch self {
    case .gzip: 15 + 16
    case .zlib: 15
    }
  }
}
