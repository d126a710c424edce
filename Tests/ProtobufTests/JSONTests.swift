import Foundation
import GoogleProtobuf
import Protobuf
import ProtobufJSON
import Testing
import TortureV1

/// Cases that the random comparison with Google does not cover: alternative notations, and
/// refusals.
@Suite struct JSONTests {
  private let mapping: JSONMapping
  private let torture: MessageType

  init() throws {
    let registry = try TypeRegistry([
      GoogleProtobufDescriptors.fileDescriptorSet, TortureV1Descriptors.fileDescriptorSet,
    ])
    mapping = JSONMapping(registry)
    torture = try #require(registry.message(named: Torture.fullName))
  }

  private func read(
    _ json: String, _ options: JSONMapping.Options = .init()
  ) throws -> Torture {
    let mapping = JSONMapping(mapping.registry, options: options)
    return try Torture(wireBytes: mapping.wire(fromJSON: Array(json.utf8), to: torture))
  }

  private func violations(_ json: String) -> [JSONParseError.Violation] {
    do {
      _ = try mapping.wire(fromJSON: Array(json.utf8), to: torture)
      return []
    } catch {
      return error.violations
    }
  }

  @Test(
    "a number may be quoted, have a zero fraction or an exponent",
    arguments: [
      (#"{"int32": "7"}"#, 7), (#"{"int32": 7.0}"#, 7), (#"{"int32": 7e2}"#, 700),
      (#"{"int32": 70e-1}"#, 7), (#"{"int32": -0}"#, 0), (#"{"int32": null}"#, 0),
      (#"{"int32": 2147483647}"#, 2_147_483_647), (#"{"int32": -2147483648.000}"#, -2_147_483_648),
    ] as [(String, Int32)])
  func integers(_ json: String, _ expected: Int32) throws {
    #expect(try read(json).int32 == expected)
  }

  @Test(
    "a value of the wrong type is refused with its field",
    arguments: [
      (#"{"int32": 1.5}"#, "int32"), (#"{"int32": 2147483648}"#, "int32"),
      (#"{"int32": true}"#, "int32"), (#"{"int32": " 7"}"#, "int32"), (#"{"int32": ""}"#, "int32"),
      (#"{"int32": "0x7"}"#, "int32"), (#"{"int32": "+7"}"#, "int32"),
      (#"{"int32": 1e999999999}"#, "int32"), (#"{"uint32": -1}"#, "uint32"),
      (#"{"uint64": "18446744073709551616"}"#, "uint64"), (#"{"bool": "true"}"#, "bool"),
      (#"{"bool": 1}"#, "bool"), (#"{"string": 5}"#, "string"), (#"{"bytes": "*"}"#, "bytes"),
      (#"{"float": 1e39}"#, "float"), (#"{"double": 1e400}"#, "double"),
      (#"{"double": "nan"}"#, "double"), (#"{"mood": "GOOD"}"#, "mood"), (#"{"mood": ""}"#, "mood"),
      (#"{"int32s": [1, null]}"#, "int32s[1]"), (#"{"int32s": 1}"#, "int32s"),
      (#"{"mapInt32": {"a": 1}}"#, "mapInt32.a"), (#"{"mapBool": {"1": 1}}"#, "mapBool.1"),
      (#"{"mapString": {"a": 1, "a": 2}}"#, "mapString.a"), (#"{"mapString": []}"#, "mapString"),
      (#"{"int32": 1, "int32": 1}"#, "int32"),
      (#"{"looseInt32s": [], "loose_int32s": []}"#, "looseInt32s"),
      (#"{"chosenInt32": 1, "chosenBool": true}"#, "chosenBool"), (#"{"type": []}"#, "type"),
      (#"{"type": {"nothing": 1}}"#, "type.nothing"),
      (#"{"child": {"child": {"x": 0}}}"#, "child.child.x"),
      (#"{"timestamp": "2026-02-29T00:00:00Z"}"#, "timestamp"),
      (#"{"timestamp": "2026-01-01t00:00:00Z"}"#, "timestamp"),
      (#"{"timestamp": "2026-01-01T00:00:00"}"#, "timestamp"),
      (#"{"timestamp": "2026-01-01T00:00:60Z"}"#, "timestamp"),
      (#"{"timestamp": "0001-01-01T00:00:00+00:01"}"#, "timestamp"),
      (#"{"duration": "1"}"#, "duration"), (#"{"duration": "1.0000000001s"}"#, "duration"),
      (#"{"duration": "315576000001s"}"#, "duration"), (#"{"duration": ".5s"}"#, "duration"),
      (#"{"fieldMask": "foo_bar"}"#, "fieldMask"), (#"{"any": {"value": 1}}"#, "any"),
      (#"{"any": {"@type": "x/none.Such"}}"#, "any"), (#"{"any": {"@type": 1}}"#, "any"),
      (#"{"any": {"@type": "x/torture.v1.Tree", "number": "a"}}"#, "any.number"),
      (#"{"any": {"@type": "x/google.protobuf.Duration", "seconds": 1}}"#, "any.seconds"),
    ])
  func refuses(_ json: String, _ field: String) {
    #expect(violations(json).first?.field == field, "\(violations(json))")
  }

  @Test("every invalid field of a text is reported")
  func namesAll() {
    let json = #"{"int32": "a", "type": {"default": [], "in": "fine"}, "moods": ["MOOD_WELL", {}]}"#
    #expect(violations(json).map(\.field) == ["int32", "type.default", "moods[1]"])
  }

  @Test("reported errors are limited")
  func namesMany() {
    let json = "{\"int32s\": [" + repeatElement("true", count: 5000).joined(separator: ",") + "]}"
    #expect(violations(json).count == JSONParseError.violationsMax)
  }

  @Test(
    "invalid JSON is refused with line and byte",
    arguments: [
      ("", "line 1, byte 1"), ("{", "line 1, byte 2"), ("{\"int32\":\n 01}", "line 2, byte 3"),
      ("{\"string\": \"a", "line 1, byte 14"), ("{} {}", "line 1, byte 4"),
      ("{\"string\": \"\u{1}\"}", "line 1, byte 13"), (#"{"string": "\ud800"}"#, "line 1, byte 19"),
      (#"{"string": "\udc00"}"#, "line 1, byte 19"), (#"{"int32": 1,}"#, "line 1, byte 13"),
      (#"{'int32': 1}"#, "line 1, byte 2"), (#"{"int32": .5}"#, "line 1, byte 11"),
      (#"{"int32": 1.}"#, "line 1, byte 13"), (#"{"double": NaN}"#, "line 1, byte 12"),
      (#"{"int32s": [1 2]}"#, "line 1, byte 15"),
    ])
  func refusesText(_ json: String, _ place: String) {
    #expect(violations(json).first?.reason.hasPrefix(place) == true, "\(violations(json))")
  }

  @Test("invalid UTF-8 is refused")
  func refusesBytes() {
    #expect(throws: JSONParseError.self) {
      try mapping.wire(fromJSON: Array(#"{"string": ""#.utf8) + [0xff, 0x22, 0x7d], to: torture)
    }
  }

  @Test(
    "deeply nested lists, objects and messages are refused before the stack is exhausted",
    arguments: [
      String(repeating: "[", count: 200_000), String(repeating: "{\"child\":", count: 200_000),
      "{\"value\":" + String(repeating: "[", count: 200_000),
      "{\"unknown\":" + String(repeating: "{\"a\":", count: 200_000),
      "{\"any\":"
        + String(repeating: "{\"@type\":\"x/google.protobuf.Any\",\"value\":", count: 9000),
    ])
  func refusesDepth(_ json: String) { #expect(!violations(json).isEmpty) }

  @Test("strings take all escapes and surrogate pairs")
  func escapes() throws {
    let text = try read(#"{"string": "\"\\\/\b\f\n\r\t\u0041\u5de5\ud83d\ude9a"}"#).string
    #expect(text == "\"\\/\u{8}\u{c}\n\r\tA工🚚")
  }

  @Test("base64 is read in both alphabets, with padding or without")
  func base64() throws {
    for text in ["+/8=", "-_8=", "+/8", "-_8"] {
      #expect(try read("{\"bytes\": \"\(text)\"}").bytes == [0xfb, 0xff])
    }
  }

  @Test("times are read with any offset")
  func offsets() throws {
    let message = try read(#"{"timestamp": "2026-11-21T08:00:00.25+08:00"}"#)
    #expect(message.timestamp?.seconds == 1_795_219_200)
    #expect(message.timestamp?.nanos == 250_000_000)
  }

  @Test("unknown fields and enum values are ignored on request")
  func ignoresUnknown() throws {
    var options = JSONMapping.Options()
    options.ignoresUnknown = true
    let message = try read(#"{"x": [{}], "mood": "GOOD", "int32": 1}"#, options)
    #expect(message.int32 == 1)
    #expect(message.mood == .unspecified)
  }

  @Test("zero values are written on request, unset ones with presence are not")
  func writesDefaults() throws {
    var options = JSONMapping.Options()
    options.writesDefaults = true
    options.writesContractNames = true
    let type = try #require(mapping.registry.message(named: "torture.v1.Torture.Type"))
    let json = try JSONMapping(mapping.registry, options: options).json(fromWire: [], of: type)
    #expect(
      String(decoding: json, as: UTF8.self)
        == #"{"default":0,"in":"","unknown_fields":"","description":0,"register":false,"init":""}"#)
  }

  @Test("of an empty message the same zero values, lists and maps are written as Google's does")
  func writesEmptyLists() throws {
    var options = JSONMapping.Options()
    options.writesDefaults = true
    let json = try JSONMapping(mapping.registry, options: options).json(fromWire: [], of: torture)
    let written = try JSONSerialization.jsonObject(with: Data(json)) as? NSDictionary
    let expected = try JSONSerialization.jsonObject(with: Data(Self.empty.utf8)) as? NSDictionary
    #expect(written != nil && written == expected)
  }

  /// What Python's `json_format.MessageToJson` (protobuf 6) writes of an empty message with
  /// `always_print_fields_with_no_presence`.
  private static let empty = #"""
    {"double":0,"float":0,"int32":0,"int64":"0","uint32":0,"uint64":"0","sint32":0,"sint64":"0",
    "fixed32":0,"fixed64":"0","sfixed32":0,"sfixed64":"0","bool":false,"string":"","bytes":"",
    "mood":"MOOD_UNSPECIFIED","kind":"KIND_UNSPECIFIED","doubles":[],"floats":[],"int32s":[],
    "int64s":[],"uint32s":[],"uint64s":[],"sint32s":[],"sint64s":[],"fixed32s":[],"fixed64s":[],
    "sfixed32s":[],"sfixed64s":[],"bools":[],"strings":[],"byteStrings":[],"moods":[],"types":[],
    "looseInt32s":[],"looseDoubles":[],"looseBools":[],"looseMoods":[],"mapInt32":{},"mapInt64":{},
    "mapUint32":{},"mapUint64":{},"mapSint32":{},"mapSint64":{},"mapFixed32":{},"mapFixed64":{},
    "mapSfixed32":{},"mapSfixed64":{},"mapBool":{},"mapString":{},"mapToBool":{},"mapToString":{},
    "mapToBytes":{},"mapToMood":{},"mapToType":{},"mapToTorture":{},"children":[],
    "nullValue":null,"timestamps":[]}
    """#

  @Test("what is no JSON at all is one violation, with its place")
  func syntax() {
    #expect(violations("nope") == [.init(field: "", reason: "line 1, byte 1: expected null")])
    #expect(
      violations("{\n  \"int32\": nope}") == [
        .init(field: "int32", reason: "line 2, byte 12: expected null")
      ])
  }

  @Test("a field is named as in JSON, and a wrong enum value is told which there are")
  func names() {
    #expect(violations(#"{"loose_int32s": 1}"#).first?.field == "looseInt32s")
    let mood = violations(#"{"mood": "GOOD"}"#).first?.reason ?? ""
    #expect(mood.hasPrefix("expected one of MOOD_"), "\(mood)")
    #expect(!mood.contains("MOOD_UNSPECIFIED"))
  }

  @Test("bytes that are not a message are refused")
  func refusesWire() {
    #expect(throws: JSONPrintError.malformed("truncated")) {
      try mapping.json(fromWire: [0x72, 5, 0x41], of: torture)
    }
    #expect(throws: JSONPrintError.self) {
      try mapping.json(fromWire: [0x72, 1, 0xff], of: torture)
    }
  }

  @Test("a registry refuses incomplete descriptor sets")
  func refusesSets() {
    #expect(throws: TypeRegistryError.self) {
      try TypeRegistry([TortureV1Descriptors.fileDescriptorSet])
    }
  }
}
