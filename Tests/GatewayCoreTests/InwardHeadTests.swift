import RPC
import RPCTransport
import ServiceKit
import Testing

@testable import GatewayCore

@Suite("Head inwards")
struct InwardHeadTests {
  private func inward(
    _ fields: HeaderList, deadline: Deadline? = nil, token: String? = nil
  ) -> HeaderList {
    var all: HeaderList = [
      ":method": "POST", ":scheme": "https", ":path": "/a.B/C", ":authority": "gateway:8443",
    ]
    all.add(contentsOf: fields)
    let head = InwardHead.make(from: RequestHead(fields: all), token: token)
    return InwardHead.attempt(head, deadline).fields
  }

  @Test(
    "the longest list that a caller may send is accepted by services with the gateway's fields"
  )
  func longest() {
    let (edge, inner) = (ConnectionLimits(), ConnectionLimits.trusted)
    let size = { (list: HeaderList) in
      (0..<list.count).reduce(0) {
        $0 + list.name(at: $1).utf8.count + list.valueBytes(at: $1).count + 32
      }
    }
    var fields = HeaderList()
    for _ in 0..<(edge.headerFieldsMax - 4) { fields.add("x", "") }
    let rest = edge.headerListBytesMax - size(inward(fields)) - 34
    fields.add("y", String(repeating: "y", count: rest))
    let list = inward(
      fields, deadline: .after(.seconds(60)), token: String(repeating: "t", count: 1_000))
    #expect(size(list) > edge.headerListBytesMax)
    #expect(size(list) <= inner.headerListBytesMax)
    #expect(list.count <= inner.headerFieldsMax)
  }

  @Test("the caller's fields are forwarded in order and unchanged")
  func kept() {
    let own: HeaderList = [
      "content-type": "application/grpc+proto", "user-agent": "grpc-python/1.80",
      "grpc-encoding": "gzip", "grpc-accept-encoding": "gzip", "grpc-trace-bin": "AAAA",
      "grpc-previous-rpc-attempts": "1", "traceparent": "00-1-2-3", "accept-language": "en",
      "x-own": "1", "x-own": "2", "x-own-bin": "//8", "cookie": "a=b", "x-api-key-hint": "h",
      "authorization-hint": "h", "yijia": "h", "connections": "3",
    ]
    var expected: HeaderList = [":method": "POST", ":path": "/a.B/C"]
    expected.add(contentsOf: own)
    expected.add("te", "trailers")
    #expect(inward(own) == expected)
  }

  @Test(
    "credentials, hop-by-hop fields and the gateway's own fields are dropped",
    arguments: [
      "authorization", "x-api-key", "connection", "keep-alive", "proxy-connection",
      "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "host",
      "content-length", "grpc-timeout", "yijia-caller-bin", "yijia-", "yijia-organization",
    ])
  func dropped(_ name: String) {
    var fields = HeaderList()
    fields.add(name, "1S")
    fields.add("x-own", "kept")
    fields.add(name, "again")
    let expected: HeaderList = [
      ":method": "POST", ":path": "/a.B/C", "x-own": "kept", "te": "trailers",
    ]
    #expect(inward(fields) == expected)
  }

  @Test("the remaining deadline is sent anew, and the token once")
  func added() throws {
    let head = inward(
      ["grpc-timeout": "9H", "yijia-caller-bin": "Zm9yZ2Vk"],
      deadline: .after(.seconds(10)), token: "AQIDBA")
    let timeout = try #require(RequestHead(fields: head).timeout)
    #expect(timeout <= .milliseconds(9_980))
    #expect(timeout > .seconds(5))
    #expect((0..<head.count).filter { head.hasName("grpc-timeout", at: $0) }.count == 1)
    #expect(head["yijia-caller-bin"] == "AQIDBA")
    #expect((0..<head.count).filter { head.hasName("yijia-caller-bin", at: $0) }.count == 1)
  }

  @Test(
    "a repeated attempt states how many came before it, the caller's own included",
    arguments: [[], ["2"], ["0"], ["2", "1"], ["many"], ["99999999999999999999"], ["-1"]])
  func attempts(_ given: [String]) {
    var fields: HeaderList = [":method": "POST", ":path": "/a.B/C"]
    for value in given { fields.add("grpc-previous-rpc-attempts", value) }
    fields.add("x-own", "kept")
    let head = InwardHead.make(from: RequestHead(fields: fields), token: nil)
    let again = InwardHead.attempt(head, nil, previous: 1).fields
    let stated = (0..<again.count).filter { again.hasName("grpc-previous-rpc-attempts", at: $0) }
    #expect(stated.map { again.value(at: $0) } == [given.first == "2" ? "3" : "1"])
    #expect(again["x-own"] == "kept")
  }

  @Test("a deadline that has passed is still sent")
  func passed() {
    #expect(inward([:], deadline: .after(.seconds(-1)))["grpc-timeout"] == "1n")
  }
}

@Suite("Message meter")
struct MessageMeterTests {
  /// Framed messages of those lengths.
  private static func body(_ lengths: [Int]) -> [UInt8] {
    var body: [UInt8] = []
    for length in lengths {
      body.append(1)
      for shift in [24, 16, 8, 0] { body.append(UInt8(length >> shift & 255)) }
      body += [UInt8](repeating: 0xff, count: length)
    }
    return body
  }

  @Test(
    "messages within the limit pass, however they are split", arguments: [1, 2, 3, 5, 7, 64, 5_000])
  func passes(_ step: Int) {
    let body = Self.body([0, 1, 100, 0, 0, 99, 100, 5])
    var meter = MessageMeter(messageBytesMax: 100)
    for start in stride(from: 0, to: body.count, by: step) {
      let isAllowed = meter.pass(Array(body[start..<min(start + step, body.count)]))
      #expect(isAllowed)
    }
    #expect(meter.isAtBoundary)
  }

  @Test("one byte over the limit is refused at the prefix", arguments: [1, 4, 1_000])
  func refuses(_ step: Int) {
    let body = Self.body([100, 101])
    var meter = MessageMeter(messageBytesMax: 100)
    var passed = 0
    for start in stride(from: 0, to: body.count, by: step) {
      guard meter.pass(Array(body[start..<min(start + step, body.count)])) else { break }
      passed = min(start + step, body.count)
    }
    #expect(passed < 110, "the prefix of the second message ends at byte 110")
  }

  @Test("what has passed of a message that is not whole is known")
  func part() {
    var meter = MessageMeter(messageBytesMax: 100)
    let body = Self.body([50, 60])
    _ = meter.pass(Array(body.prefix(5)))
    #expect(meter.partBytes == 0)
    _ = meter.pass(Array(body[5..<25]))
    #expect(meter.partBytes == 20)
    _ = meter.pass(Array(body[25..<61]))
    #expect(meter.partBytes == 1, "the first message and the prefix of the second have passed")
    _ = meter.pass(Array(body[61...]))
    #expect(meter.partBytes == 0)
  }

  @Test("the largest length of a prefix does not overflow")
  func largest() {
    var meter = MessageMeter(messageBytesMax: 4 << 20)
    let isAllowed = meter.pass([0, 255, 255, 255, 255])
    #expect(!isAllowed)
    var wide = MessageMeter(messageBytesMax: .max)
    let isWithin = wide.pass([0, 255, 255, 255, 255, 1])
    #expect(isWithin)
    #expect(!wide.isAtBoundary)
  }
}
