/// The error of bytes that could not be compressed or decompressed.
public enum CompressionError: Error, Sendable, Hashable {
  /// The input is not one stream of the format: damaged, truncated, or followed by other bytes.
  case corrupt
  /// The output would exceed the caller's limit; nothing beyond the limit was produced.
  case tooLarge
  /// zlib could not allocate its memory.
  case outOfMemory
}
