import Testing

@testable import GatewayCore

@Suite("Paths of HTTP rules")
struct PathTemplateTests {
  @Test("a template consists of literals, wildcards, variables and a verb")
  func parts() throws {
    let template = try PathTemplate("/v1/{name=organizations/*}/codes/{code}:revoke")
    #expect(
      template.segments == [
        .literal("v1"), .literal("organizations"), .one, .literal("codes"), .one,
      ])
    #expect(template.variables.map(\.field) == ["name", "code"])
    #expect(template.variables.map(\.segments) == [1..<3, 4..<5])
    #expect(template.verb == "revoke")
    #expect(try PathTemplate("/v1/{name=a/**}").segments == [.literal("v1"), .literal("a"), .rest])
  }

  @Test(
    "malformed templates are refused",
    arguments: [
      "", "v1", "/v1//x", "/v1/{name", "/v1/{=a}", "/v1/**/x", "/v1/a*b", "/v1/x:", "/v1/x/",
    ])
  func refused(text: String) {
    #expect(throws: PathTemplate.SyntaxError.self) { try PathTemplate(text) }
  }

  @Test("a path is decoded segment by segment, and its verb is not part of a name")
  func path() {
    #expect(RequestPath("/v1/a%2Fb/%E5%BC%A0")?.segments == ["v1", "a/b", "张"])
    let verbed = RequestPath("/v1/members/x:reveal")
    #expect(verbed?.verb?.name == "reveal")
    #expect(verbed?.verb?.segments == ["v1", "members", "x"])
    #expect(RequestPath("/v1/members/x%3Areveal")?.verb == nil)
    for bad in ["", "v1", "/", "//", "/v1/%", "/v1/%4", "/v1/%FF", "/v1/%GG"] {
      #expect(RequestPath(bad[...]) == nil, "\(bad)")
    }
    let deep = String(repeating: "/a", count: RequestPath.segmentsMax + 1)
    #expect(RequestPath(deep[...]) == nil)
  }

  @Test("a query is parsed like a form")
  func query() {
    let parts = URLText.query("a=1&b=x+y%26&c&a=%E5%BC%A0")
    #expect(parts?.map(\.name) == ["a", "b", "c", "a"])
    #expect(parts?.map(\.value) == ["1", "x y&", "", "张"])
    #expect(URLText.query("a=%") == nil)
    #expect(URLText.query("=1") == nil)
  }

  @Test("lines are split at their breaks, and no line exceeds the limit")
  func lines() throws {
    var reader = LineReader(bytesMax: 4)
    reader.append(Array("ab\nc".utf8))
    #expect(try reader.next() == Array("ab".utf8))
    #expect(try reader.next() == nil)
    reader.append(Array("d\n\nef".utf8))
    #expect(try reader.next() == Array("cd".utf8))
    #expect(try reader.next() == [])
    #expect(try reader.next() == nil)
    #expect(reader.last() == Array("ef".utf8))
    #expect(reader.number == 4)
    #expect(reader.last() == nil)
    reader.append(Array("12345".utf8))
    #expect(throws: GatewayFailure.messageTooLarge(bytesMax: 4)) { try reader.next() }
  }

  @Test("each byte of a line that arrives in pieces is scanned once")
  func longLine() throws {
    var reader = LineReader(bytesMax: 1 << 20)
    for _ in 0..<100 {
      reader.append([UInt8](repeating: 0x61, count: 100))
      #expect(try reader.next() == nil)
      #expect(reader.unsearched == 0)
    }
    reader.append(Array("\nb\nc".utf8))
    #expect(try reader.next()?.count == 10_000)
    #expect(try reader.next() == Array("b".utf8))
    #expect(try reader.next() == nil)
    reader.append(Array("\n".utf8))
    #expect(try reader.next() == Array("c".utf8))
    #expect(reader.last() == nil)
  }
}
