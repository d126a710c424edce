import Protobuf
import Testing
import TortureV1

/// Encodings that the wire format allows and encoders do not produce: pieces, repeats, other
/// orders.
@Suite struct MergeTests {
  private func type(_ body: (inout Torture.TypeMessage) -> Void) throws -> [UInt8] {
    var type = Torture.TypeMessage()
    body(&type)
    return try type.wireBytes()
  }

  @Test("a singular message in pieces is merged, including unknown fields and lists")
  func pieces() throws {
    let first = try Torture.with {
      $0.int32s = [1]
      $0.int32 = 7
      $0.string = "first"
    }.wireBytes()
    let second = try Torture.with {
      $0.int32s = [2]
      $0.string = "second"
    }.wireBytes()
    let unknown = WireBytes.field(4000, 1)
    let bytes = WireBytes.field(401, first + unknown) + WireBytes.field(401, second + unknown)
    let child = try #require(try Torture(wireBytes: bytes).child)
    #expect(child.int32s == [1, 2])
    #expect(child.int32 == 7)
    #expect(child.string == "second")
    #expect(child.unknownFields.bytes == unknown + unknown)
  }

  @Test("the last value of a repeated scalar wins")
  func lastScalar() throws {
    let bytes =
      WireBytes.field(3, 1) + WireBytes.field(14, [0x61]) + WireBytes.field(3, 2)
      + WireBytes.field(14, [0x62])
    let message = try Torture(wireBytes: bytes)
    #expect(message.int32 == 2)
    #expect(message.string == "b")
  }

  @Test("the last member of a oneof wins; pieces of its own message are merged")
  func oneof() throws {
    let number = WireBytes.field(201, 5)
    let text = WireBytes.field(203, [0x61])
    #expect(try Torture(wireBytes: number + text).choice == .chosenString("a"))
    #expect(try Torture(wireBytes: text + number).choice == .chosenInt32(5))
    let one = WireBytes.field(207, try type { $0.default = 1 })
    let two = WireBytes.field(207, try type { $0.in = "x" })
    let both = Torture.TypeMessage.with {
      $0.default = 1
      $0.in = "x"
    }
    #expect(try Torture(wireBytes: one + two).choice == .chosenType(both))
    let after = Torture.TypeMessage.with { $0.in = "x" }
    #expect(try Torture(wireBytes: one + number + two).choice == .chosenType(after))
    // The members of another oneof do not interfere.
    let other = try Torture(wireBytes: number + WireBytes.field(212, 4) + WireBytes.field(200, []))
    #expect(other.choice == .chosenInt32(5))
    #expect(other.result == .error(""))
  }

  @Test("numbers are read packed and unpacked, whatever the contract says, and mixed")
  func packed() throws {
    let packed = WireBytes.field(103, [1, 2, 3])
    let loose = WireBytes.field(103, 4) + WireBytes.field(103, 5)
    #expect(try Torture(wireBytes: packed + loose).int32s == [1, 2, 3, 4, 5])
    #expect(try Torture(wireBytes: loose + packed).int32s == [4, 5, 1, 2, 3])
    #expect(try Torture(wireBytes: WireBytes.field(121, [6, 7])).looseInt32s == [6, 7])
    #expect(try Torture(wireBytes: WireBytes.field(113, [0, 1, 2])).bools == [false, true, true])
    #expect(try Torture(wireBytes: WireBytes.field(103, [])).int32s == [])
  }

  @Test("fields are read in any order and written by number")
  func order() throws {
    let bytes = WireBytes.field(14, [0x61]) + WireBytes.field(3, 1)
    let ordered = WireBytes.field(3, 1) + WireBytes.field(14, [0x61])
    #expect(try Torture(wireBytes: bytes).wireBytes() == ordered)
  }

  @Test("a map's entry may lack key and value, and the last of equal keys wins")
  func maps() throws {
    let bare = WireBytes.field(314, [])
    #expect(try Torture(wireBytes: bare).mapToString == ["": ""])
    let key = WireBytes.field(1, [0x6b])
    let first = WireBytes.field(314, key + WireBytes.field(2, [0x31]))
    let second = WireBytes.field(314, WireBytes.field(2, [0x32]) + key)
    #expect(try Torture(wireBytes: first + second).mapToString == ["k": "2"])
    #expect(try Torture(wireBytes: WireBytes.field(318, [])).mapToTorture == [0: Torture()])
  }
}
