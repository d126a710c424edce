import Foundation
import RPC
import RPCInProcess
import ServiceKit
import Testing

@testable import GatewayCore

/// What a JSON caller is told: its texts, its names, and where a stream went wrong.
@Suite("JSON texts")
struct JSONTextTests {
  private let face: JSONFaceTests

  init() throws { face = try JSONFaceTests() }

  private static let enroll = "/v1/enrollments"

  /// Bodies with all kinds of mistakes, and queries.
  private static let mistakes = [
    "nope", "[]", "{", "{\"a\"}", "{\"row\":1}", "{\"application\":5}", "{}x", "\"",
    "{\"a\":\"\\q\"}",
    "{\"application\":{\"group\":\"COURIER\",\"newForm\":1,\"personName\":1}}",
    "{\"application\":{\"vehiclePlates\":1}}",
    "{\"application\":{\"personName\":\"a\",\"personName\":\"b\"}}",
    "{\"application\":{\"consent\":{\"agreeTime\":\"2025-11-24\"}}}", "{\"requestId\":\"\u{1}\"}",
  ]

  @Test("a Chinese text is Chinese: no English words but names and values", arguments: mistakes)
  func chinese(body: String) async throws {
    let answer = try await face.ask("POST", Self.enroll, body: body, as: .partner)
    #expect(answer.status == 400)
    let message = try #require(answer.json?["message"] as? String)
    #expect(message.hasPrefix("有 "))
    for word in ["expected", "such", "field", "byte", "the ", "text", "value", " of "] {
      #expect(!message.contains(word), "\(message)")
    }
    #expect(!message.contains("不符合接口说明"), "a reason without a text of its own: \(message)")
  }

  @Test("a date can be given in a query by its fields, and a refusal says so")
  func dates() async throws {
    let path = "/v1/statistics/enrollments"
    let wrong = try await face.ask("GET", path + "?startDate=2026", ["accept-language": "en"])
    #expect(wrong.status == 400)
    #expect(wrong.text.contains("give its fields, such as startDate.year"), "\(wrong.text)")
    let right = try await face.ask("GET", path + "?start_date.year=2026", ["accept-language": "en"])
    #expect(right.reason != "INVALID_FIELDS", "\(right.text)")
  }

  @Test("a compressed body is of an encoding that is not supported")
  func encoding() async throws {
    let answer = try await face.ask(
      "POST", Self.enroll, body: "\u{1f}", as: .partner, ["content-encoding": "gzip"])
    #expect(answer.status == 415)
    #expect(answer.reason == "CONTENT_ENCODING_UNSUPPORTED")
    #expect(answer.head["accept-encoding"] == "identity")
    let plain = try await face.ask(
      "POST", Self.enroll, body: "{}", as: .partner, ["content-encoding": "identity"])
    #expect(plain.status == 200)
  }

  @Test("a service names its fields to a JSON caller as JSON does")
  func names() {
    let head = RequestHead(fields: [":method": "POST", ":path": "/x"])
    #expect(InnerCall.head(to: "/a.B/C", from: head).fields["field-names"] == "json")
    #expect(InnerCall.head(to: "/a.B/C", from: head, .contract).fields["field-names"] == nil)
  }

  @Test("the records before a wrong line get their results, and the error names the line")
  func wrongLine() async throws {
    let lines =
      #"{"row":1,"application":{"personName":"张三"}}"# + "\n" + #"{"row":2,"grop":1}"# + "\n"
    let answer = try await face.ask(
      "POST", "/yijia.members.v1.MembersService/EnrollMembers",
      body: lines + #"{"row":3,"application":{"personName":"王五"}}"#, as: .partner,
      ["content-type": "application/x-ndjson", "accept-language": "en"])
    #expect(answer.status == 200)
    let told = answer.text.split(separator: "\n")
    #expect(told.first == #"{"result":{"row":"1","enrollment":{"name":"张三"}}}"#)
    #expect(told.last?.hasPrefix(#"{"error":{"code":3,"message":"#) == true, "\(answer.text)")
    #expect(told.last?.contains("grop: line 2: no such field") == true, "\(answer.text)")
    #expect(told.count == 2)
  }

  @Test("a wrong first line is a plain refusal; a line that is too long ends like a wrong one")
  func wrongLines() async throws {
    func enroll(_ body: String) async throws -> JSONFaceTests.Answer {
      try await face.ask(
        "POST", "/yijia.members.v1.MembersService/EnrollMembers", body: body, as: .partner,
        ["content-type": "application/x-ndjson", "accept-language": "en"])
    }
    let first = try await enroll("{\n{}\n")
    #expect(first.status == 400)
    #expect(first.reason == "INVALID_FIELDS")
    #expect(first.text.contains("line 1"))
    let long = try await enroll("{}\n{\"row\":\"\(String(repeating: "1", count: 20_000))\"}\n{}")
    #expect(long.status == 200)
    let told = long.text.split(separator: "\n")
    #expect(told.count == 2)
    #expect(told.last?.contains("MESSAGE_TOO_LARGE") == true, "\(long.text)")
  }

  @Test("an error of the service before a wrong line is what the caller gets")
  func wrongLineAfterAnError() async throws {
    let answer = try await face.ask(
      "POST", "/yijia.members.v1.MembersService/EnrollMembers",
      body: #"{"row":1,"application":{"personName":"王坏"}}"# + "\n{\n", as: .partner,
      ["content-type": "application/x-ndjson"])
    #expect(answer.status == 429)
  }

  @Test(
    "a feed ends at once when the server drains, in every form",
    arguments: [
      ["content-type": "application/json"],
      ["content-type": "application/json", "accept": "text/event-stream"],
      ["content-type": "application/json", "accept": "application/json"],
      ["content-type": "application/grpc-web"],
    ])
  func drains(fields: [String: String]) async throws {
    let isWeb = fields["content-type"] != "application/json"
    var head: HeaderList = [
      ":method": "POST", ":path": "/yijia.members.v1.MembersService/WatchMemberEvents",
      "x-api-key": TestGateway.partnerKey,
    ]
    for (name, value) in fields { head.add(name, value) }
    let feed = try await face.edge.openExchange(RequestHead(fields: head))
    try await feed.send(isWeb ? [0, 0, 0, 0, 0] : Array("{}".utf8))
    await feed.finish()
    #expect(try await feed.nextChunk()?.isEmpty == false)
    face.edge.drain()
    var rest: [UInt8] = []
    while let chunk = try await feed.nextChunk() { rest += chunk }
    let text = String(decoding: rest, as: UTF8.self)
    #expect(text.contains(isWeb ? "grpc-status: 14" : "SHUTTING_DOWN"), "\(text)")
  }

  private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

  @Test("an answer carries the trace id of a caller who sent one, and of no other")
  func traced() async throws {
    let parent = ["traceparent": "00-\(Self.trace)-00f067aa0ba902b7-01"]
    for (verb, path, caller) in [
      ("GET", "/v1/members/42", TestCaller.administrator), ("GET", "/v1/members/unknown", .viewer),
      ("GET", "/v1/members/42", .nobody), ("GET", "/v1/nothing", .viewer),
    ] {
      #expect(try await face.ask(verb, path, as: caller, parent).head["x-trace-id"] == Self.trace)
      #expect(try await face.ask(verb, path, as: caller).head["x-trace-id"] == nil)
    }
    let lines = try await face.ask(
      "POST", "/yijia.members.v1.MembersService/EnrollMembers", body: "{}", as: .partner, parent)
    #expect(lines.head["x-trace-id"] == Self.trace)
  }
}
