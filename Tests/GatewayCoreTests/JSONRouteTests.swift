import GoogleAPI
import GoogleProtobuf
import MembersV1
import Protobuf
import ProtobufJSON
import RPC
import ServiceKit
import Testing

@testable import GatewayCore

@Suite("JSON routes")
struct JSONRouteTests {
  private let face: JSONFaceTests

  init() throws { face = try JSONFaceTests() }

  @Test("HEAD has the fields of GET without the body, OPTIONS the methods of the path")
  func verbs() async throws {
    let got = try await face.ask("GET", "/v1/members/42")
    let head = try await face.ask("HEAD", "/v1/members/42")
    #expect(head.status == 200)
    #expect(head.head["content-length"] == "\(got.text.utf8.count)")
    #expect(head.text == "")
    #expect(try await face.ask("HEAD", "/v1/members/unknown").status == 404)
    #expect(try await face.ask("HEAD", "/v1/members/unknown").text == "")
    let options = try await face.ask("OPTIONS", "/v1/members/42", as: .nobody)
    #expect(options.status == 204)
    #expect(options.head["allow"] == "GET, HEAD, OPTIONS, PATCH")
    let own = try await face.ask(
      "OPTIONS", "/yijia.members.v1.MembersService/GetMember", as: .nobody)
    #expect(own.head["allow"] == "OPTIONS, POST")
    let wrong = try await face.ask("PUT", "/v1/members/42")
    #expect(wrong.status == 405 && wrong.head["allow"] == "GET, HEAD, OPTIONS, PATCH")
  }

  @Test("an HTTP method and path of two methods is refused at start")
  func twice() {
    let error = #expect(throws: ConfigurationError.self) {
      try JSONContracts(Contract.all + [Contract.all[0]])
    }
    #expect(error.map { "\($0)" }?.contains(" is that of ") == true, "\(error as Any)")
  }

  @Test("a rule with response_body is refused at start")
  func responseBody() throws {
    var rule = HttpRule()
    rule.pattern = .get("/v1/x")
    rule.responseBody = "x"
    let inner = try rule.wireBytes()
    // google.api.http, field 72295728 of the options, which are field 4 of a method.
    var options: [UInt8] = []
    func varint(_ value: Int) -> [UInt8] {
      value < 128 ? [UInt8(value)] : [UInt8(value & 127 | 128)] + varint(value >> 7)
    }
    options += varint(72_295_728 << 3 | 2) + varint(inner.count) + inner
    let method = try MethodDescriptorProto(
      wireBytes: [4 << 3 | 2] + varint(options.count) + options)
    let error = #expect(throws: ConfigurationError.self) {
      try HTTPRule.rules(of: method, at: "/a.B/C")
    }
    #expect(error.map { "\($0)" }?.contains("response_body") == true)
  }

  @Test(
    "a body that is one field is that field and nothing else",
    arguments: ["\"a\",\"cursor\":\"b\"", "\"a\"}", "{\"a\":1}", "", "\"a\" \"b\""])
  func splice(_ body: String) throws {
    let codec = try JSONCodec(Contract.all)
    let type = try #require(
      codec.mapping.registry.message(named: "yijia.members.v1.WatchMemberEventsRequest"))
    #expect(throws: JSONParseError.self) {
      try codec.mapping.wire(fromJSON: Array(body.utf8), ofField: "cursor", to: type)
    }
    var request = WatchMemberEventsRequest()
    request.cursor = "a"
    let wire = try codec.mapping.wire(fromJSON: Array(" \"a\" ".utf8), ofField: "cursor", to: type)
    #expect(try WatchMemberEventsRequest(wireBytes: wire) == request)
  }

  @Test("a page may send custom metadata that it asks for, and nothing that is reserved")
  func customFields() async throws {
    let answer = try await face.ask(
      "OPTIONS", "/v1/members/42", as: .nobody,
      [
        "origin": "https://console.example.org",
        "access-control-request-headers": "X-Custom, grpc-status, yijia-caller-bin, b@d",
      ])
    let allowed = answer.head["access-control-allow-headers"] ?? ""
    #expect(allowed.hasSuffix("last-event-id, x-custom"), "\(allowed)")
    #expect(answer.head["vary"] == "origin, access-control-request-headers")
  }

  @Test("the preflight of a gRPC-Web call is allowed")
  func webPreflight() async throws {
    let answer = try await face.ask(
      "OPTIONS", "/yijia.members.v1.MembersService/GetMember", as: .nobody,
      [
        "origin": "https://console.example.org", "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-grpc-web,x-user-agent,x-api-key",
      ])
    #expect(answer.status == 204)
    #expect(answer.head["access-control-allow-origin"] == "https://console.example.org")
    #expect(answer.head["access-control-allow-methods"]?.contains("POST") == true)
    for name in ["content-type", "x-grpc-web", "x-user-agent", "x-api-key"] {
      #expect(answer.head["access-control-allow-headers"]?.contains(name) == true)
    }
  }

  @Test("a page may read the custom fields of a gRPC-Web response")
  func exposed() {
    var fields = BrowserOrigins(["*"]).fields(
      for: RequestHead(fields: [":method": "POST", "origin": "https://a.example"]))
    BrowserOrigins.expose(["x-one": "1"], in: &fields)
    #expect(fields["access-control-expose-headers"]?.hasSuffix("x-trace-id, x-one") == true)
  }

  @Test("a trace context that is there twice is none")
  func traces() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    var fields: HeaderList = [":method": "GET", "traceparent": parent]
    #expect(TraceField.id(of: RequestHead(fields: fields)) != nil)
    fields.add("traceparent", parent)
    #expect(TraceField.id(of: RequestHead(fields: fields)) == nil)
  }
}
