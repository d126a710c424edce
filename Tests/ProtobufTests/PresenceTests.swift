import GoogleProtobuf
import Protobuf
import Testing
import TortureV1

/// Presence of fields, zero values, and unknown fields.
@Suite struct PresenceTests {
  @Test("negative zero is a value, positive zero is the default")
  func negativeZero() throws {
    let bytes = try Torture.with {
      $0.double = -0.0
      $0.float = -0.0
    }.wireBytes()
    #expect(bytes == [0x09, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x15, 0, 0, 0, 0x80])
    let again = try Torture(wireBytes: bytes)
    #expect(again.double.sign == .minus)
    #expect(again.float.sign == .minus)
    #expect(try Torture.with { $0.double = 0 }.wireBytes() == [])
  }

  @Test("an optional field distinguishes zero from unset")
  func optionals() throws {
    let bytes = try Torture.with {
      $0.optionalInt32 = 0
      $0.optionalString = ""
      $0.optionalBytes = []
      $0.optionalBool = false
      $0.optionalMood = .unspecified
      $0.optionalType = Torture.TypeMessage()
    }.wireBytes()
    let again = try Torture(wireBytes: bytes)
    #expect(again.optionalInt32 == 0)
    #expect(again.optionalString == "")
    #expect(again.optionalBytes == [])
    #expect(again.optionalBool == false)
    #expect(again.optionalMood == .unspecified)
    #expect(again.optionalType == Torture.TypeMessage())
    #expect(again.optionalDouble == nil)
    #expect(try again.wireBytes() == bytes)
  }

  @Test("unknown numbers of an enum are kept")
  func openEnums() throws {
    let bytes = WireBytes.field(16, 99)
    let message = try Torture(wireBytes: bytes)
    #expect(message.mood == .unrecognized(99))
    #expect(message.mood.description == "99")
    #expect(try message.wireBytes() == bytes)
    #expect(Mood(rawValue: 1) == .well)
    #expect(Mood.fine == .well)
    #expect(Mood.allCases == [.unspecified, .well, .low, .high])
    #expect(Mood.low.protoName == "MOOD_LOW")
  }

  @Test("unknown fields are preserved at each level, including groups and overlong tags")
  func unknownFields() throws {
    // An overlong tag, a group, a number, bytes, and a wire type other than the contract's.
    let unknown: [UInt8] =
      [0xd0, 0x80, 0x00, 0x05] + WireBytes.group(9, WireBytes.field(1, 2))
      + WireBytes.field(600, 7) + WireBytes.field(601, [1, 2]) + WireBytes.field(3, [0x61])
    #expect(try Blank(wireBytes: unknown).wireBytes() == unknown)
    let known = WireBytes.field(3, 4)
    let sparse = try Sparse(wireBytes: known + WireBytes.field(401, unknown))
    #expect(sparse.child?.unknownFields.bytes == unknown)
    #expect(try sparse.wireBytes() == known + WireBytes.field(401, unknown))
  }

  @Test("custom options are read from the unknown fields by number")
  func extensions() throws {
    let type = Torture.TypeMessage.with { $0.in = "x" }
    let more = Torture.TypeMessage.with { $0.default = 3 }
    let fields = try UnknownFields(
      bytes: WireBytes.field(50601, try type.wireBytes()) + WireBytes.field(7, 300)
        + WireBytes.field(7, [1, 2]) + WireBytes.field(50601, try more.wireBytes()))
    #expect(
      try fields.message(Torture.TypeMessage.self, extension: 50601)
        == .with {
          $0.in = "x"
          $0.default = 3
        })
    #expect(try fields.messages(Torture.TypeMessage.self, extension: 50601) == [type, more])
    #expect(try fields.varints(extension: 7) == [300, 1, 2])
    #expect(try fields.message(Torture.TypeMessage.self, extension: 8) == nil)
    #expect(throws: DecodeError.self) { try UnknownFields(bytes: [0x08]) }
  }

  @Test("Any holds a message with its name and unpacks it as that type only")
  func anyMessage() throws {
    let tree = Tree.with { $0.number = 9 }
    let any = try AnyMessage(packing: tree)
    #expect(any.typeURL == "type.googleapis.com/torture.v1.Tree")
    #expect(try any.unpack(Tree.self) == tree)
    #expect(try any.unpack(Blank.self) == nil)
  }

  @Test("headroom is zero bytes before the message, in the same array")
  func headroom() throws {
    let tree = Tree.with { $0.number = 1 }
    #expect(try tree.wireBytes(headroom: 5) == [0, 0, 0, 0, 0] + (try tree.wireBytes()))
    #expect(try Tree().wireBytes(headroom: 5) == [0, 0, 0, 0, 0])
  }

  @Test("a module's descriptor set names its files, with options and without comments")
  func descriptorSet() throws {
    let set = try FileDescriptorSet(wireBytes: TortureV1Descriptors.fileDescriptorSet)
    #expect(set.file.map(\.name) == ["torture/v1/torture.proto"])
    #expect(set.file[0].sourceCodeInfo == nil)
    #expect(set.file[0].messageType.map(\.name) == ["Torture", "Tree", "Blank", "Sparse"])
    #expect(try set.wireBytes() == TortureV1Descriptors.fileDescriptorSet)
  }
}
