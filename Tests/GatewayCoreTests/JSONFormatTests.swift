import Testing

@testable import GatewayCore

@Suite("The accept field")
struct JSONFormatTests {
  @Test("lines are sent where the caller has no preference")
  func noPreference() {
    for accept in [
      nil, "", "*/*", "application/*", "text/html", "text/html, */*;q=0.8", "application/jsonl",
      "text/event-stream, application/x-ndjson", "application/json, application/x-ndjson",
    ] {
      #expect(JSONFormat(accept: accept) == .lines, "\(accept ?? "none")")
    }
  }

  @Test("a range chooses the formats that it has")
  func ranges() {
    #expect(JSONFormat(accept: "text/event-stream") == .events)
    #expect(JSONFormat(accept: "text/*") == .events)
    #expect(JSONFormat(accept: "Text/Event-Stream; charset=UTF-8") == .events)
    #expect(JSONFormat(accept: "application/json;q=0.9, text/html") == .array)
    #expect(JSONFormat(accept: "text/*, application/json;q=0.9") == .events)
  }

  @Test("the highest quality wins")
  func qualities() {
    #expect(JSONFormat(accept: "application/json;q=0.2, application/x-ndjson; q=0.5") == .lines)
    #expect(JSONFormat(accept: "application/json;q=0.501, application/x-ndjson;q=0.5") == .array)
    #expect(JSONFormat(accept: "*/*;q=0.1, text/*;q=0.2") == .events)
    #expect(JSONFormat(accept: "*/*, application/json;q=0.5, text/*;q=0.5") == .lines)
    #expect(JSONFormat(accept: "application/json ;\tQ=1.000, text/*;q=0.999") == .array)
  }

  @Test("of equal qualities the most exact range wins, and then our own order")
  func ties() {
    #expect(JSONFormat(accept: "*/*, application/json") == .array)
    #expect(JSONFormat(accept: "*/*, text/*") == .events)
    #expect(JSONFormat(accept: "text/*, application/json") == .array)
    #expect(JSONFormat(accept: "application/json, text/event-stream") == .events)
  }

  @Test("a format of quality 0 is excluded, whatever else has it")
  func excluded() {
    #expect(JSONFormat(accept: "*/*, application/x-ndjson;q=0") == .events)
    #expect(JSONFormat(accept: "*/*, application/jsonl;q=0.000") == .events)
    #expect(JSONFormat(accept: "application/x-ndjson;q=0, text/*;q=0") == .array)
    #expect(JSONFormat(accept: "*/*;q=0, application/json;q=0.001") == .array)
    // None is left: the answer is of more use than a refusal.
    #expect(JSONFormat(accept: "*/*;q=0") == .lines)
  }

  @Test("what is malformed is left out, and a long field is read in part only")
  func hostile() {
    for quality in ["", "2", "1.001", "-1", "nan", "inf", "1e0", ".5", "0.5000", "0,5", "０"] {
      let accept = "text/event-stream;q=\(quality)"
      #expect(JSONFormat(accept: accept) == .lines, "\(accept)")
    }
    for accept in [",;,;;", ";q=1", "/", "text", "*", "text/event-stream/x", "é/*"] {
      #expect(JSONFormat(accept: accept) == .lines, "\(accept)")
    }
    let long = String(repeating: "a/b,", count: 4_000) + "text/event-stream"
    #expect(JSONFormat(accept: long) == .lines)
    #expect(JSONFormat(accept: String(repeating: ",", count: 16_000)) == .lines)
  }
}
