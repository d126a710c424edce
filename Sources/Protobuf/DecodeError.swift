/// The error of bytes that are not a message, or of one that is too expensive to decode.
public enum DecodeError: Error, Sendable, Hashable {
  /// The bytes end within a field.
  case truncated
  /// A varint of more than ten bytes, or a tag or length of more than 32 bits.
  case varintOverflow
  /// A field with number 0.
  case zeroFieldNumber
  /// One of the two undefined wire types.
  case invalidWireType
  /// The end of a group without its start, or with another number.
  case unmatchedGroup
  /// Packed numbers of fixed size in a length that is not a multiple of it.
  case invalidPackedLength
  /// A `string` field, with this number, that is not UTF-8.
  case invalidUTF8(field: Int)
  /// Messages nested deeper than ``DecodeLimits/depth``.
  case tooDeep
  /// More bytes than ``DecodeLimits/byteCount``.
  case tooLong
  /// Unpacking would take more than ``DecodeLimits/memory``.
  case tooMuchMemory
}

/// The limits of decoding one message.
public struct DecodeLimits: Sendable, Hashable {
  /// The nesting depth of messages, the outermost not counted. 100 is the limit of Google's
  /// decoders, and keeps the recursion within 128 KiB of stack.
  public var depth = 100
  /// Bytes on the wire. 2 GiB - 1 is protobuf's own limit; transports set a lower one.
  public var byteCount = Int(Int32.max)
  /// Bytes of memory for the C structs and the Swift value together. 64 MiB is 16 times the 4 MiB
  /// that gRPC accepts by default: enough for honest messages, a quarter of what 4 MiB of empty
  /// messages would take.
  public var memory = 64 << 20
  /// Whether small and ordinary messages may be read by ``DirectDecoding``; tests compare without
  /// it.
  package var isDirect = true

  /// Creates the default limits.
  public init() {}

  /// The limits that transports use.
  public static let standard = DecodeLimits()
}
