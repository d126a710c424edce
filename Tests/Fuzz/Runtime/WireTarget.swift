import FuzzCore
import GoogleProtobuf
import Protobuf
import RPC
import TortureV1

extension FuzzTarget {
  /// Messages: a decoded message is encoded again, and from then on to the same bytes. Both
  /// decoders give the same result or refuse.
  static let wire = FuzzTarget(name: "wire") { bytes in
    var input = InputReader(bytes)
    let type = WireType(rawValue: input.byte() % UInt8(WireType.allCases.count))
    try (type ?? .torture).message.roundTrip(input.rest())
  }

  /// Messages under a memory budget: refused, or decoded as without one.
  static let wireLimits = FuzzTarget(name: "wire-limits") { bytes in
    var input = InputReader(bytes)
    let type = WireType(rawValue: input.byte() % UInt8(WireType.allCases.count))
    var limits = DecodeLimits.standard
    limits.memory = Int(input.byte()) << 6
    limits.depth = Int(input.byte() & 7)
    try (type ?? .torture).message.underLimits(input.rest(), limits)
  }
}

/// Messages that together have every kind of field, and those of a plugin.
private enum WireType: UInt8, CaseIterable {
  case torture, tree, sparse, blank, files, plugin, value, any

  var message: any Message.Type {
    switch self {
    case .torture: Torture.self
    case .tree: Tree.self
    case .sparse: Sparse.self
    case .blank: Blank.self
    case .files: FileDescriptorSet.self
    case .plugin: CodeGeneratorRequest.self
    case .value: Value.self
    case .any: AnyMessage.self
    }
  }
}

extension Message {
  fileprivate static func roundTrip(_ bytes: [UInt8]) throws {
    var limits = DecodeLimits.standard
    limits.isDirect = false
    let unpacked = try? Self(wireBytes: bytes, limits: limits)
    guard let first = try? Self(wireBytes: bytes) else {
      return try require(unpacked == nil, "libprotobuf-c takes no more than is read directly")
    }
    let encoded = try unfailing("what decoded encodes") { try first.wireBytes() }
    let unpackedEncoded = try unfailing("libprotobuf-c takes it, too") { try unpacked?.wireBytes() }
    try require(unpackedEncoded == encoded, "and reads the same")
    let second = try unfailing("what was encoded decodes") { try Self(wireBytes: encoded) }
    let again = try unfailing("and encodes again") { try second.wireBytes(headroom: 5) }
    // Compared as bytes, since NaN is not equal to itself.
    try require(again.dropFirst(5).elementsEqual(encoded), "encoding is stable")
    try require(again.prefix(5).allSatisfy { $0 == 0 }, "the headroom is zero")
    // NaN makes messages unequal, except that one array is always equal to itself.
    let third = try unfailing("and decodes again") { try Self(wireBytes: encoded) }
    if second == third { try require(first == second, "decoding gives the same value again") }
    try require(
      first.unknownFields == second.unknownFields, "unknown fields come through unchanged")
  }

  fileprivate static func underLimits(_ bytes: [UInt8], _ limits: DecodeLimits) throws {
    guard let limited = try? Self(wireBytes: bytes, limits: limits) else { return }
    let free = try unfailing("a lower limit lets nothing else through") {
      try Self(wireBytes: bytes)
    }
    let pair = try unfailing("both encode") { (try limited.wireBytes(), try free.wireBytes()) }
    try require(pair.0 == pair.1, "a limit changes nothing but whether it decodes")
  }
}
