/// The error of a value that cannot be encoded.
public enum EncodeError: Error, Sendable, Hashable {
  /// Messages nested deeper than ``DecodeLimits/depth``, which no decoder would accept.
  case tooDeep
  /// More than 2 GiB - 1 bytes, protobuf's limit.
  case tooLong
}
