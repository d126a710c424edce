/// Why a value has no encoding.
public enum EncodeError: Error, Sendable, Hashable {
  /// Messages within messages beyond ``DecodeLimits/depth``: nobody could read it.
  case tooDeep
  /// More than 2 GiB - 1 bytes, protobuf's limit.
  case tooLong
}
