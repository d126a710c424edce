import Foundation
import Logging
import MembersV1
import RPC
import RPCInProcess
import Testing

@testable import GatewayCore

@Suite("JSON")
struct JSONFaceTests {
  /// A complete response.
  struct Answer {
    let status: Int
    let head: HeaderList
    let text: String

    var json: NSDictionary? {
      (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? NSDictionary
    }

    var reason: String? {
      (json?["details"] as? [NSDictionary])?
        .first { $0["@type"] as? String == "type.googleapis.com/google.rpc.ErrorInfo" }?["reason"]
        as? String
    }
  }

  let edge: InProcessChannel

  init() throws {
    let gateway = try TestGateway(InProcessChannel(services: [FakeRegistry()])).gateway
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let origins = BrowserOrigins(["https://console.example.org"])
    edge = InProcessChannel(
      Dispatcher(
        router: try Router(services: []),
        handlers: [
          gateway, try WebFace(of: gateway, origins: origins, logger: logger),
          // No outcome depends on how fast the machine is.
          try JSONFace(
            of: gateway, contracts: JSONContracts(), origins: origins, messageBytesMax: 10_000,
            bodyMax: .seconds(3_600), bodies: .process, pace: JSONPace(headMax: .seconds(3_600)),
            logger: logger),
        ]))
  }

  func ask(
    _ verb: String, _ path: String, body: String? = nil, as caller: TestCaller = .administrator,
    _ fields: [String: String] = [:]
  ) async throws -> Answer {
    var head: HeaderList = [":method": verb, ":path": path]
    head.add(contentsOf: caller.metadata.list)
    if body != nil, fields["content-type"] == nil { head.add("content-type", "application/json") }
    for (name, value) in fields { head.add(name, value) }
    let exchange = try await edge.openExchange(RequestHead(fields: head))
    if let body { try? await exchange.send(Array(body.utf8)) }
    await exchange.finish()
    let answer = try await exchange.head()
    var bytes: [UInt8] = []
    while let chunk = try await exchange.nextChunk() { bytes += chunk }
    return Answer(
      status: Int(answer[":status"] ?? "") ?? 0, head: answer,
      text: String(decoding: bytes, as: UTF8.self))
  }

  @Test("a GET takes its request from path and query")
  func get() async throws {
    let one = try await ask("GET", "/v1/members/42", ["accept-language": "en"])
    #expect(one.status == 200)
    #expect(one.head["content-type"] == "application/json")
    #expect(one.head["cache-control"] == "no-store")
    #expect(one.head["x-content-type-options"] == "nosniff")
    #expect(one.text == #"{"member":{"name":"members/42","memberNumber":"en"}}"#)
    let list = try await ask(
      "GET", "/v1/members?page_size=7&pageToken=a%20b&groups=COURIER&groups=TRUCK_DRIVER")
    #expect(list.status == 400, "enum values have their full names")
    let full = try await ask(
      "GET",
      "/v1/members?page_size=7&pageToken=a%20b&groups=OCCUPATION_GROUP_COURIER&groups=1")
    #expect(full.text == #"{"nextPageToken":"7 a b 2,1"}"#)
  }

  @Test("a POST takes its request from the body and the path's variables")
  func post() async throws {
    let revealed = try await ask(
      "POST", "/v1/members/42:reveal", body: #"{"name":"members/7","reason":"audit"}"#)
    #expect(revealed.text == #"{"name":"members/42","personName":"audit"}"#)
    let direct = try await ask(
      "POST", "/yijia.members.v1.MembersService/SubmitEnrollment",
      body: #"{"application":{"person_name":"张三"}}"#, as: .partner)
    #expect(direct.text == #"{"enrollment":{"name":"张三"}}"#)
  }

  @Test("every invalid field of path, query and body is reported at once")
  func wrongFields() async throws {
    let answer = try await ask(
      "POST", "/v1/enrollments",
      body: #"{"application":{"personName":5,"group":"NONE_SUCH"},"nothing":1}"#, as: .partner,
      ["accept-language": "en"])
    #expect(answer.status == 400)
    #expect(answer.head["x-content-type-options"] == "nosniff")
    #expect(answer.reason == "INVALID_FIELDS")
    for field in ["application.personName", "application.group", "nothing"] {
      #expect(answer.text.contains(#""field":"\#(field)""#), "\(field)")
    }
    let query = try await ask("GET", "/v1/members?page_size=x&nothing=1&page_token=a&page_token=b")
    #expect(query.status == 400)
    for field in ["pageSize", "nothing", "pageToken"] {
      #expect(query.text.contains(#""field":"\#(field)""#), "\(field): \(query.text)")
    }
    let both = try await ask("POST", "/v1/enrollments?x=1", body: "{}", as: .partner)
    #expect(both.status == 400)
    #expect(try await ask("POST", "/v1/enrollments", body: "{\"a\":", as: .partner).status == 400)
  }

  private static let failures: [(String, String, TestCaller, Int, String?)] = [
    ("GET", "/v1/nothing", TestCaller.viewer, 404, "ROUTE_UNKNOWN"),
    ("GET", "/v1/%", .viewer, 404, "ROUTE_UNKNOWN"),
    ("DELETE", "/v1/members/42", .viewer, 405, "VERB_NOT_ALLOWED"),
    ("GET", "/v1/members/42", .nobody, 401, "CALLER_UNPROVEN"),
    ("GET", "/v1/members/42", .partner, 403, "CALLER_KIND"),
    ("GET", "/v1/members/unknown", .viewer, 404, nil),
    ("GET", "/yijia.members.v1.MembersService/GetMember", .viewer, 405, "VERB_NOT_ALLOWED"),
  ]

  @Test("each failure has an HTTP status", arguments: failures)
  func statuses(
    verb: String, path: String, caller: TestCaller, status: Int, reason: String?
  ) async throws {
    let answer = try await ask(verb, path, as: caller)
    #expect(answer.status == status)
    #expect(answer.head["content-type"] == "application/json")
    #expect(answer.json?["code"] is NSNumber)
    #expect(answer.reason == reason)
  }

  @Test("a body of another content type, and one beyond the limit, are refused")
  func bodies() async throws {
    let form = try await ask(
      "POST", "/v1/enrollments", body: "a=b", as: .partner,
      ["content-type": "application/x-www-form-urlencoded"])
    #expect(form.status == 415)
    let long = try await ask(
      "POST", "/v1/enrollments", body: String(repeating: " ", count: 10_001), as: .partner)
    #expect(long.status == 413)
    #expect(long.reason == "MESSAGE_TOO_LARGE")
    let useless = try await ask(
      "GET", "/v1/members/42", body: "{}", ["accept-language": "en"])
    #expect(useless.status == 400)
    #expect(useless.reason == "INVALID_FIELDS")
    #expect(useless.text.contains("This method takes no body"))
    let timeout = try await ask("GET", "/v1/members/42", ["grpc-timeout": "soon"])
    #expect(timeout.reason == "TIMEOUT_MALFORMED")
  }

  private static let lines = """
    {"row":1,"application":{"personName":"张三"}}

    {"row":2,"application":{"personName":"李四"}}\r
    {"row":3,"application":{"personName":"王五"}}
    """

  private func stream(_ accept: String, _ lines: String = lines) async throws -> Answer {
    try await ask(
      "POST", "/yijia.members.v1.MembersService/EnrollMembers", body: lines, as: .partner,
      ["accept": accept, "content-type": "application/x-ndjson", "accept-language": "en"])
  }

  @Test("a request stream is lines, a response stream lines, an array or events")
  func streams() async throws {
    let results = ["张三", "李四", "王五"].enumerated().map {
      #"{"row":"\#($0 + 1)","enrollment":{"name":"\#($1)"}}"#
    }
    let lines = try await stream("application/x-ndjson")
    #expect(lines.text == results.map { #"{"result":\#($0)}"# + "\n" }.joined())
    let array = try await stream("application/json")
    #expect(array.text == "[\(results.joined(separator: ","))]")
    let events = try await stream("text/event-stream")
    #expect(events.text == results.map { "data: \($0)\n\n" }.joined())
    for answer in [lines, array, events] {
      #expect(answer.head["cache-control"] == "no-store")
      #expect(answer.head["x-content-type-options"] == "nosniff")
    }
    #expect(try await stream("application/json", "").text == "[]")
  }

  @Test("a stream that fails ends with an error object; before the first message it is a status")
  func failedStreams() async throws {
    let bad = Self.lines + "\n" + #"{"row":4,"application":{"personName":"王坏"}}"#
    let lines = try await stream("*/*", bad)
    #expect(lines.status == 200)
    #expect(lines.text.hasSuffix("{\"error\":{\"code\":8,\"message\":\"enough\"}}\n"))
    #expect(try await stream("application/json", bad).text.hasSuffix(#""message":"enough"}}]"#))
    let events = try await stream("text/event-stream", bad).text
    #expect(events.hasSuffix("event: error\ndata: {\"code\":8,\"message\":\"enough\"}\n\n"))
    let first = try await stream("*/*", #"{"application":{"personName":"王坏"}}"#)
    #expect(first.status == 429)
    let wrong = try await stream("*/*", "\n{\"row\":\"x\"}\n")
    #expect(wrong.status == 400)
    #expect(wrong.text.contains(#""field":"row""#))
    #expect(wrong.text.contains("row: line 2: expected"))
  }

  @Test("a response has one date, whatever its outcome")
  func dates() async throws {
    let path = "/v1/members/42"
    let answers = [
      try await ask("GET", path), try await ask("OPTIONS", path), try await ask("DELETE", path),
      try await ask("GET", "/v1/nothing"), try await stream("*/*"),
      try await stream("*/*", "{"),
    ]
    for answer in answers {
      #expect(answer.head.only("date")?.hasSuffix(" GMT") == true, "\(answer.status)")
    }
  }

  @Test("a page of an allowed origin may call, another may not")
  func origins() async throws {
    let path = "/v1/members/42"
    let allowed = try await ask(
      "OPTIONS", path, as: .nobody, ["origin": "https://console.example.org"])
    #expect(allowed.status == 204)
    #expect(allowed.head["access-control-allow-origin"] == "https://console.example.org")
    #expect(allowed.head["access-control-allow-headers"]?.contains("x-api-key") == true)
    let other = try await ask("OPTIONS", path, as: .nobody, ["origin": "https://evil.example"])
    #expect(other.head["access-control-allow-origin"] == nil)
    let called = try await ask("GET", path, ["origin": "https://console.example.org"])
    #expect(called.head["access-control-allow-origin"] == "https://console.example.org")
  }

  @Test("gRPC-Web: messages are unchanged, the status is the last frame", arguments: [false, true])
  func web(isText: Bool) async throws {
    var request = GetMemberRequest()
    let type = "application/grpc-web" + (isText ? "-text" : "")
    for (name, status) in [("members/42", "0"), ("members/unknown", "5")] {
      request.name = name
      let framed = try MessageFramer.frame(request)
      var head: HeaderList = [
        ":method": "POST", ":path": "/yijia.members.v1.MembersService/GetMember",
        "content-type": type, "x-grpc-web": "1",
      ]
      head.add(contentsOf: TestCaller.viewer.metadata.list)
      let exchange = try await edge.openExchange(RequestHead(fields: head))
      // Text may arrive in pieces, each with its own padding.
      let text = Data(framed[..<4]).base64EncodedString() + Data(framed[4...]).base64EncodedString()
      try await exchange.send(isText ? Array(text.utf8) : framed)
      await exchange.finish()
      #expect(try await exchange.head()["content-type"] == type)
      #expect(try await exchange.head().only("date") != nil)
      var bytes: [UInt8] = []
      var decoder = Base64Stream()
      while let chunk = try await exchange.nextChunk() {
        bytes += isText ? try decoder.decode(chunk) : chunk
      }
      let end = try #require(bytes.lastIndex(of: 0x80))
      let trailers = String(decoding: bytes[(end + 5)...], as: UTF8.self)
      #expect(trailers.contains("grpc-status: \(status)\r\n"))
      #expect((end > 0) == (status == "0"))
    }
  }

  @Test("a service learns the message encoding from gRPC-Web, not from JSON")
  func compression() async throws {
    let backend = AnyBackend()
    let gateway = try TestGateway(
      InProcessChannel(Dispatcher(router: try Router(services: []), handlers: [backend]))
    ).gateway
    let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let web = try WebFace(of: gateway, origins: BrowserOrigins(), logger: quiet)
    let edge = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [gateway, web]))
    var head: HeaderList = [
      ":method": "POST", ":path": "/yijia.members.v1.MembersService/GetMember",
      "content-type": "application/grpc-web", "grpc-encoding": "gzip",
      "grpc-accept-encoding": "gzip",
    ]
    head.add(contentsOf: TestCaller.viewer.metadata.list)
    let exchange = try await edge.openExchange(RequestHead(fields: head))
    try await exchange.send([1, 0, 0, 0, 1, 0])
    await exchange.finish()
    while try await exchange.nextChunk() != nil {}
    let inner = try #require(backend.heads.value.first)
    #expect(inner.fields["grpc-encoding"] == "gzip")
    #expect(inner.fields["grpc-accept-encoding"] == "gzip")
    let json = InnerCall.head(to: "/a.B/C", from: RequestHead(fields: head))
    #expect(json.fields["grpc-encoding"] == nil)
  }

  @Test("invalid base64 is refused")
  func badText() async throws {
    var head: HeaderList = [
      ":method": "POST", ":path": "/yijia.members.v1.MembersService/GetMember",
      "content-type": "application/grpc-web-text",
    ]
    head.add(contentsOf: TestCaller.viewer.metadata.list)
    let exchange = try await edge.openExchange(RequestHead(fields: head))
    try await exchange.send(Array("!!!!".utf8))
    await exchange.finish()
    var bytes: [UInt8] = []
    while let chunk = try await exchange.nextChunk() { bytes += chunk }
    var decoder = Base64Stream()
    let text = String(decoding: try decoder.decode(bytes), as: UTF8.self)
    #expect(text.contains("grpc-status: 13"))
  }
}
