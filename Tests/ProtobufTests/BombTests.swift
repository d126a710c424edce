import Protobuf
import Testing
import TortureV1

/// Inputs that libprotobuf-c alone does not survive, or accepts wrongly.
@Suite struct BombTests {
  @Test("nested messages end at the limit, long before the stack does")
  func depth() throws {
    let limit = UInt64(DecodeLimits.standard.depth)
    #expect(throws: DecodeError.tooDeep) {
      try Tree(wireBytes: WireBytes.nested(1, depth: 9000))
    }
    #expect(throws: DecodeError.tooDeep) {
      try Tree(wireBytes: WireBytes.nested(1, depth: Int(limit) + 1))
    }
    _ = try Tree(wireBytes: WireBytes.nested(1, depth: Int(limit)))
    // Maps nest as well: entry and message.
    let map = (0..<51).reduce([UInt8]()) { inner, _ in
      WireBytes.field(318, WireBytes.field(1, 1) + WireBytes.field(2, inner))
    }
    #expect(throws: DecodeError.tooDeep) { try Torture(wireBytes: map) }
  }

  @Test("nested unknown groups end at the limit")
  func groups() {
    let deep = [UInt8](repeating: 0x53, count: 9000) + [UInt8](repeating: 0x54, count: 9000)
    #expect(throws: DecodeError.tooDeep) { try Blank(wireBytes: deep) }
    #expect(throws: DecodeError.tooDeep) { try Torture(wireBytes: deep) }
  }

  @Test("two megabytes of empty messages are refused before memory is allocated")
  func emptyMessages() {
    // Field 402, repeated: three bytes for a struct of more than a kilobyte.
    let bomb = [[UInt8]](repeating: WireBytes.field(402, []), count: 2 << 18).flatMap { $0 }
    #expect(throws: DecodeError.tooMuchMemory) { try Torture(wireBytes: bomb) }
    let trees = [[UInt8]](repeating: WireBytes.field(117, []), count: 1 << 19).flatMap { $0 }
    #expect(throws: DecodeError.tooMuchMemory) { try Torture(wireBytes: trees) }
  }

  @Test("a megabyte of packed booleans is refused, and accepted with a larger budget")
  func packedBomb() throws {
    let packed = WireBytes.field(113, [UInt8](repeating: 1, count: 8 << 20))
    #expect(throws: DecodeError.tooMuchMemory) { try Torture(wireBytes: packed) }
    var limits = DecodeLimits()
    limits.memory = 256 << 20
    #expect(try Torture(wireBytes: packed, limits: limits).bools.count == 8 << 20)
  }

  @Test("a list of ordinary messages fits the budget")
  func ordinaryList() throws {
    var message = Torture()
    message.children = (0..<2000).map { number in
      .with {
        $0.string = "member \(number) with a name"
        $0.int64 = Int64(number)
        $0.strings = ["one", "two", "three"]
      }
    }
    #expect(try Torture(wireBytes: try message.wireBytes()) == message)
  }

  @Test("more bytes than allowed are refused at once")
  func tooLong() {
    var limits = DecodeLimits()
    limits.byteCount = 3
    #expect(throws: DecodeError.tooLong) {
      try Blank(wireBytes: WireBytes.field(1, [1, 2]), limits: limits)
    }
  }

  @Test("strings keep NUL and their length")
  func nul() throws {
    let bytes = WireBytes.field(14, [0x61, 0, 0x62])
    let message = try Torture(wireBytes: bytes)
    #expect(message.string == "a\0b")
    #expect(try message.wireBytes() == bytes)
  }

  @Test(
    "invalid UTF-8 is refused in strings and kept in bytes",
    arguments: [
      [0xff], [0x80], [0xc0, 0x80], [0xc1, 0xbf], [0xe0, 0x9f, 0xbf], [0xed, 0xa0, 0x80],
      [0xf0, 0x8f, 0xbf, 0xbf], [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe5, 0xb7],
      [0x61, 0x61, 0x61, 0x61, 0x61, 0x61, 0x61, 0x61, 0xc3],
    ] as [[UInt8]])
  func badText(text: [UInt8]) throws {
    #expect(throws: DecodeError.invalidUTF8(field: 14)) {
      try Torture(wireBytes: WireBytes.field(14, text))
    }
    #expect(throws: DecodeError.invalidUTF8(field: 114)) {
      try Torture(wireBytes: WireBytes.field(114, text))
    }
    #expect(throws: DecodeError.invalidUTF8(field: 1)) {
      try Torture(wireBytes: WireBytes.field(312, WireBytes.field(1, text)))
    }
    #expect(try Torture(wireBytes: WireBytes.field(15, text)).bytes == text)
  }

  @Test(
    "malformed input is refused with its reason",
    arguments: [
      ([0x18], DecodeError.truncated), ([0x18, 0x80], .truncated), ([0x09, 1, 2, 3], .truncated),
      ([0x72, 5, 0x61], .truncated), ([0x15, 1], .truncated), ([0x00, 0x01], .zeroFieldNumber),
      ([0x80, 0x00, 0x01], .zeroFieldNumber), ([0x0e], .invalidWireType),
      ([0x0f], .invalidWireType), ([0x54], .unmatchedGroup), ([0x53, 0x5c], .unmatchedGroup),
      ([0x53, 0x50, 0x01], .truncated),
      ([0x18] + [UInt8](repeating: 0xff, count: 10) + [0x01], .varintOverflow),
      ([0x72, 0xff, 0xff, 0xff, 0xff, 0x0f], .varintOverflow),
      ([0xfa, 0xff, 0xff, 0xff, 0x7f, 0x00], .varintOverflow),
      ([0xaa, 0x06, 7, 1, 2, 3, 4, 5, 6, 7], .invalidPackedLength),
      ([0xba, 0x06, 2, 1, 0x80], .truncated),
    ] as [([UInt8], DecodeError)])
  func malformed(bytes: [UInt8], error: DecodeError) {
    #expect(throws: error) { try Torture(wireBytes: bytes) }
  }

  @Test("a value nested too deep to be read is not written")
  func tooDeepToWrite() {
    var tree = Tree()
    for number in 0..<150 {
      var outer = Tree()
      outer.number = UInt32(number)
      outer.left = tree
      tree = outer
    }
    #expect(throws: EncodeError.tooDeep) { try tree.wireBytes() }
  }
}
