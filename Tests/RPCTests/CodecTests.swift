import RPC
import Testing

@Suite("Codecs")
struct CodecTests {
  @Test(
    "timeouts are parsed with all their units",
    arguments: [
      ("1H", Duration.seconds(3600)), ("2M", .seconds(120)), ("3S", .seconds(3)),
      ("4m", .milliseconds(4)), ("5u", .microseconds(5)), ("6n", .nanoseconds(6)),
      ("00000001S", .seconds(1)), ("000000001S", nil), ("99999999n", .nanoseconds(99_999_999)),
      ("0S", .zero),
    ] as [(String, Duration?)])
  func timeouts(_ text: String, _ expected: Duration?) {
    #expect(parse(text) == expected)
  }

  @Test(
    "malformed timeouts are refused",
    arguments: ["", "S", "1", "1s", "-1S", "1.5S", "123456789S", "1 S", "+1S", "１S"])
  func badTimeouts(_ text: String) { #expect(parse(text) == nil) }

  @Test("a timeout is written in at most eight digits and never longer than it is")
  func timeoutFormat() {
    #expect(Timeout.format(.nanoseconds(1)) == "1n")
    #expect(Timeout.format(.zero) == "1n")
    #expect(Timeout.format(.seconds(-5)) == "1n")
    #expect(Timeout.format(.milliseconds(50)) == "50000000n")
    #expect(Timeout.format(.milliseconds(100)) == "100000u")
    #expect(Timeout.format(.seconds(100)) == "100000m")
    #expect(Timeout.format(.seconds(100_000)) == "100000S")
    #expect(Timeout.format(.seconds(100_000_000)) == "1666666M")
    #expect(Timeout.format(.seconds(Int64.max)) == "99999999H")
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<10_000 {
      let duration = Duration.nanoseconds(
        Int64.random(in: 1...Int64.max >> Int64.random(in: 0..<60, using: &generator)))
      let text = Timeout.format(duration)
      #expect(text.count <= 9)
      let read = parse(text)
      #expect(read.map { $0 <= duration && $0 > duration * 0.99 } == true, "\(duration) as \(text)")
    }
  }

  private func parse(_ text: String) -> Duration? { Timeout.parse(Array(text.utf8).span.bytes) }

  @Test(
    "messages survive percent encoding",
    arguments: ["", "plain", "a%b", "汉字", "\t\n\u{0}", "😀", " ", "  ", " a b ", "不: "])
  func percent(_ text: String) {
    let encoded = PercentEncoding.encode(text)
    #expect(encoded.utf8.allSatisfy { $0 >= 0x20 && $0 <= 0x7e })
    #expect(!encoded.hasPrefix(" ") && !encoded.hasSuffix(" "))
    #expect(PercentEncoding.decode(Array(encoded.utf8)) == text)
  }

  @Test("an invalid percent encoding is kept, never an error")
  func badPercent() {
    #expect(PercentEncoding.decode(Array("100%".utf8)) == "100%")
    #expect(PercentEncoding.decode(Array("%zz%4".utf8)) == "%zz%4")
    #expect(PercentEncoding.decode(Array("%FF".utf8)) == "\u{FFFD}")
    #expect(PercentEncoding.decode(Array("%e6%b1%89".utf8)) == "汉")
  }

  @Test("base64 is read padded and unpadded")
  func base64() {
    for count in 0..<70 {
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255) }
      let text = Base64.encode(bytes)
      #expect(!text.contains("="))
      #expect(Base64.decode(Array(text.utf8)) == bytes)
      let padded = text + String(repeating: "=", count: (4 - text.count % 4) % 4)
      #expect(Base64.decode(Array(padded.utf8)) == bytes)
    }
    for bad in [
      "A", "A===", "AA=", "AAA==", "AA=A", "A_-A", "AAAA=", "\u{e9}AAA", "AA AA", " AAAA", "AAAA\t",
      // Bits behind the last byte.
      "AB", "AB==", "AAB", "AAB=",
    ] {
      #expect(Base64.decode(Array(bad.utf8)) == nil, "\(bad)")
    }
  }

  @Test("a request's content type is gRPC's with protobuf, in any case and with parameters")
  func requestTypes() {
    func isRequest(_ type: String) -> Bool {
      ContentType.isGRPCRequest(Array(type.utf8).span.bytes)
    }
    for type in [
      "application/grpc", "application/grpc+proto", "Application/GRPC", "APPLICATION/GRPC+PROTO",
      "application/grpc;a=b", "application/grpc+proto ; charset=utf-8",
    ] {
      #expect(isRequest(type), "\(type)")
    }
    for type in [
      "", ";", " ", "application/grp", "application/grpcx", "application/grpc-web",
      "application/grpc+", "application/grpc++", "application/grpc+json", "application/grpc ",
      "application/grpc+proto+x", "application/grpc,application/grpc", "application/grpc x;",
    ] {
      #expect(!isRequest(type), "\(type)")
    }
  }

  @Test("an authority is one host with a port that exists")
  func authorities() {
    func isValid(_ text: String) -> Bool { Authority.isValid(Array(text.utf8).span.bytes) }
    for text in [
      "localhost", "localhost:", "localhost:80", "a.example:65535", "[::1]", "[::1]:50051",
    ] {
      #expect(isValid(text), "\(text)")
    }
    for text in [
      "u@h", "a,b", ":80", "a:b", "a:65536", "a:99999999999999999999", "a:1:2", "::1", "[::1",
      "::1]", "[::1]:x", "a[", "a:-1",
    ] {
      #expect(!isValid(text), "\(text)")
    }
  }

  @Test("content types other than gRPC's are rejected")
  func contentTypes() {
    for type in ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"] {
      #expect(ContentType.isGRPC(type), "\(type)")
    }
    for type in ["application/grpc-web", "application/grpcx", "application/json", "", "text/plain"]
    {
      #expect(!ContentType.isGRPC(type), "\(type)")
    }
  }
}

@Suite("Metadata")
struct MetadataTests {
  @Test("order, repeated names and bytes are preserved")
  func multiMap() {
    var metadata: Metadata = ["a": "1"]
    metadata.add("B", "2")
    metadata.add("a", "3")
    metadata.add("c-bin", [1, 2, 3])
    #expect(metadata.map(\.name) == ["a", "b", "a", "c-bin"])
    #expect(metadata[text: "a"] == "1")
    #expect(metadata.values("a") == [.text("1"), .text("3")])
    #expect(metadata[binary: "c-bin"] == [1, 2, 3])
    #expect(metadata[text: "c-bin"] == nil)
    metadata.removeAll("a")
    #expect(metadata.map(\.name) == ["b", "c-bin"])
  }

  @Test(
    "joined binary values are split on commas and the space around them, before decoding",
    arguments: ["AQ==,Ag,Aw==", "AQ, Ag== , Aw", "AQ\t,\t Ag,Aw"])
  func joined(field: String) {
    let metadata = Metadata(wire: ["x-bin": field])
    #expect(metadata.values("x-bin") == [.binary([1]), .binary([2]), .binary([3])])
    #expect(metadata[binary: "x-bin"] == [1])
    #expect(MetadataRules.allows(trailers: metadata.list))
  }

  @Test(
    "space that is not beside a comma is no base64",
    arguments: ["A Q", " AQ", "AQ ", "A Q,Ag", "AQ, A g", " AQ,Ag", "AQ,Ag ", "AQ;Ag"])
  func spaced(field: String) {
    #expect(!MetadataRules.allows(trailers: ["x-bin": field]))
  }

  @Test("empty values stay, with and without space")
  func emptyValues() {
    for field in [",", ", ", " ,"] {
      #expect(Metadata(wire: ["x-bin": field]).values("x-bin") == [.binary([]), .binary([])])
    }
  }

  @Test("a text that is too long is truncated at a character boundary")
  func cutMessage() {
    for text in ["abc", "a%b", "驿家", " a b c ", "   ", String(repeating: "é%x", count: 9)] {
      #expect(PercentEncoding.encode(text, bytesMax: 200) == PercentEncoding.encode(text))
      for most in 0..<40 {
        let encoded = PercentEncoding.encode(text, bytesMax: most)
        #expect(encoded.utf8.count <= most)
        #expect(!encoded.hasPrefix(" ") && !encoded.hasSuffix(" "))
        #expect(text.hasPrefix(PercentEncoding.decode(Array(encoded.utf8))))
      }
    }
  }

  @Test("names of HTTP and gRPC are not custom metadata")
  func reserved() {
    let head: HeaderList = [
      ":path": "/a/b", "te": "trailers", "content-type": "application/grpc", "grpc-timeout": "1S",
      "user-agent": "me", "x-mine": "1", "grpc-encoding": "identity",
    ]
    #expect(Metadata(custom: head).map(\.name) == ["user-agent", "x-mine"])
    for name in ["grpc-status", ":status", "Upper", "sp ace", "", "te"] {
      #expect(!Metadata.isValid(name: name), "\(name)")
    }
    #expect(Metadata.isValid(name: "a0_.-z"))
  }

  @Test("of two grpc-timeouts none counts, even if they are equal")
  func repeatedTimeout() {
    var head: HeaderList = [":path": "/a/b", "grpc-timeout": "1S"]
    #expect(!RequestHead(fields: head).hasBadTimeout)
    for _ in 0..<2 {
      head.add("grpc-timeout", "1S")
      #expect(RequestHead(fields: head).hasBadTimeout)
    }
  }

  @Test("text that is not printable ASCII is made so, never a trap")
  func unprintable() {
    #expect(Metadata(dictionaryLiteral: ("a", "x\n汉é\u{7f}y"))[text: "a"] == "x????y")
    for (text, sent) in [(" a b ", "a b"), ("  ", ""), ("a ", "a"), ("\ta", "?a")] {
      #expect(Metadata(dictionaryLiteral: ("a", .text(text)))[text: "a"] == sent)
      #expect(!Metadata.isValid(text: text))
    }
  }

  @Test("an entry with an external name is added, or refused without a trap")
  func checked() throws {
    var metadata = Metadata()
    try metadata.add(checking: .init(name: "X-a", value: "1"))
    try metadata.add(checking: .init(name: "x-bin", value: .binary([1])))
    #expect(metadata == ["x-a": "1", "x-bin": .binary([1])])
    for element: Metadata.Element in [
      .init(name: "x a", value: "1"), .init(name: "grpc-status", value: "0"),
      .init(name: "x-bin", value: "1"), .init(name: "x-a", value: .binary([1])),
    ] {
      #expect(throws: Metadata.InvalidElement.self) {
        try metadata.add(checking: element)
      }
    }
    #expect(metadata.count == 2)
  }

  @Test("equality depends on names and values, not on their position in memory")
  func equality() {
    var long: HeaderList = ["drop": "me", "a": "1"]
    long.remove("drop")
    #expect(Metadata(wire: long) == ["a": "1"])
    #expect(Metadata(wire: ["ab": "c"]) != Metadata(wire: ["a": "bc"]))
  }

  @Test("a field that is set keeps its place, so that the status stays in front")
  func places() {
    var list: HeaderList = [":status": "200", "etag": "a", "x-a": "1", "etag": "b"]
    list.set(":status", "304")
    list.set("etag", "c")
    list.set("x-b", "2")
    #expect(list == [":status": "304", "etag": "c", "x-a": "1", "x-b": "2"])
  }
}
