import Protobuf
import Testing
import TortureV1

/// Messages that are decoded directly equal those decoded by libprotobuf-c, which handles all
/// others.
@Suite struct DirectDecodingTests {
  /// The result of a decoder, encoded again; nil where it refuses.
  private func read(_ bytes: [UInt8], directly: Bool) -> [UInt8]? {
    var limits = DecodeLimits.standard
    limits.isDirect = directly
    return try? Torture(wireBytes: bytes, limits: limits).wireBytes()
  }

  private func message() throws -> [UInt8] {
    try Torture.with {
      $0.double = -0.0
      $0.int32 = -1
      $0.uint64 = .max
      $0.sint32 = .min
      $0.string = "工会 and more than fifteen bytes"
      $0.mood = .low
      $0.optionalFixed64 = 7
      $0.optionalBytes = [1, 2, 3]
      $0.int32s = [0, 1, -1]
      $0.doubles = [1.5, .infinity]
      $0.strings = ["one", "", "three"]
      $0.types = [.with { $0.in = "x" }, .init()]
      $0.looseBools = [true, false]
      $0.choice = .chosenTorture(.with { $0.choice = .chosenString("inner") })
      $0.mapInt32 = [-1: 2, 3: 4]
      $0.mapToType = ["": .with { $0.register = true }]
      $0.child = .with { $0.root = .with { $0.number = 2047 } }
    }.wireBytes()
  }

  @Test("a message truncated anywhere is decoded alike by both, or by neither")
  func prefixes() throws {
    let whole = try message()
    #expect(read(whole, directly: true) == whole)
    for count in 0...whole.count {
      let bytes = Array(whole.prefix(count))
      #expect(read(bytes, directly: true) == read(bytes, directly: false), "\(count) bytes")
    }
  }

  @Test("a message with any one byte changed is decoded alike by both, or by neither")
  func changes() throws {
    let whole = try message()
    for index in whole.indices {
      for change: UInt8 in [0x01, 0x02, 0x04, 0x08, 0x80, 0xff] {
        var bytes = whole
        bytes[index] ^= change
        #expect(
          read(bytes, directly: true) == read(bytes, directly: false), "byte \(index) ^ \(change)")
      }
    }
  }

  @Test(
    "input that only libprotobuf-c can judge is left to it",
    arguments: [
      // An unknown field; a wrong wire type; a message in pieces; a oneof set twice.
      WireBytes.field(4000, 1), WireBytes.field(3, [1]),
      WireBytes.field(401, []) + WireBytes.field(401, []),
      WireBytes.field(201, 1) + WireBytes.field(203, [0x61]),
      // A tag of six bytes, a length of six, a number of eleven, a tenth byte beyond 64 bits.
      [0x98, 0x80, 0x80, 0x80, 0x80, 0x00, 0x01], [0x72, 0x81, 0x80, 0x80, 0x80, 0x80, 0x00, 0x61],
      [0x18] + [UInt8](repeating: 0xff, count: 10) + [0x01],
      [0x68] + [UInt8](repeating: 0x80, count: 9) + [0x02],
    ] as [[UInt8]])
  func others(bytes: [UInt8]) {
    #expect(
      !DirectDecoding.reads(bytes.span.bytes, .standard, 0) { direct in
        // Like the generated code of a message with the fields 3 (int32), 13 (bool) and 14
        // (string).
        while case let tag = direct.tag(), tag != 0 {
          switch tag {
          case 24: _ = direct.int32()
          case 104: _ = direct.bool()
          case 114: _ = direct.string()
          default: direct.refuse()
          }
        }
      })
    #expect(read(bytes, directly: true) == read(bytes, directly: false))
  }

  @Test("input that would need much memory is refused before it is allocated")
  func memory() {
    let empty = [[UInt8]](repeating: WireBytes.field(402, []), count: 5000).flatMap { $0 }
    var room = 0
    let isRead = DirectDecoding.reads(empty.span.bytes, .standard, 0) { direct in
      _ = direct.tag()
      room = direct.count(3218, 4096)
    }
    #expect(!isRead)
    #expect(room == 0)
  }
}
