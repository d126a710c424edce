/// Why bytes could not be compressed or restored.
public enum CompressionError: Error, Sendable, Hashable {
  /// The input is not what the format says: damaged, cut, or followed by something else.
  case corrupt
  /// The output would be larger than the caller allows; nothing beyond that was made.
  case tooLarge
  case outOfMemory
}
