/// Why bytes are not a message, or are one that would cost too much.
public enum DecodeError: Error, Sendable, Hashable {
  /// The bytes end within a field.
  case truncated
  /// A number of more than ten bytes, or a tag or length of more than 32 bits.
  case varintOverflow
  /// A field with number 0.
  case zeroFieldNumber
  /// One of the two wire types that mean nothing.
  case invalidWireType
  /// A group's end without its start, or with another number.
  case unmatchedGroup
  /// Packed numbers of a fixed size in a length that is no multiple of it.
  case invalidPackedLength
  /// A `string` field that is not UTF-8; the number is the field's.
  case invalidUTF8(field: Int)
  /// Messages within messages beyond ``DecodeLimits/depth``.
  case tooDeep
  /// Beyond ``DecodeLimits/byteCount``.
  case tooLong
  /// Unpacking would take more than ``DecodeLimits/memory``.
  case tooMuchMemory
}

/// What one message may cost to decode.
public struct DecodeLimits: Sendable, Hashable {
  /// Messages within messages, the outermost not counted. 100 is what Google's decoders allow, and
  /// keeps the recursion within 128 KiB of stack.
  public var depth = 100
  /// Bytes on the wire. 2 GiB - 1 is protobuf's own limit; transports set a lower one first.
  public var byteCount = Int(Int32.max)
  /// Bytes of memory for the C structs and the Swift value together. 64 MiB is 16 times the 4 MiB
  /// that gRPC takes by default: enough for what people send, a quarter of what 4 MiB of empty
  /// messages would ask for.
  public var memory = 64 << 20
  /// Whether what is small and ordinary may be read by ``DirectDecoding``: off where tests compare.
  package var isDirect = true

  public init() {}

  /// What transports use.
  public static let standard = DecodeLimits()
}
