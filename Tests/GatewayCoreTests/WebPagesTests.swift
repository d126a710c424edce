import Foundation
import RPC
import RPCInProcess
import ServiceKit
import Testing

@testable import GatewayCore

@Suite("Pages for people")
struct WebPagesTests {
  private static let policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    + "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

  private static let served = WebPages.paths.filter { !["/c", "/me/", "/console/"].contains($0) }

  private static func head(
    _ path: String, _ verb: String = "GET", _ fields: HeaderList = [:]
  ) -> RequestHead {
    var head: HeaderList = [":method": verb, ":path": path]
    head.add(contentsOf: fields)
    return RequestHead(fields: head)
  }

  private static func get(
    _ path: String, _ verb: String = "GET", _ fields: HeaderList = [:], isTLS: Bool = false
  ) async throws -> (head: HeaderList, text: String) {
    let channel = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [WebPages()]),
      peer: Peer(address: "in-process", isTLS: isTLS))
    let exchange = try await channel.openExchange(head(path, verb, fields))
    await exchange.finish()
    let answer = try await exchange.head()
    var bytes: [UInt8] = []
    while let chunk = try await exchange.nextChunk() { bytes += chunk }
    return (answer, String(decoding: bytes, as: UTF8.self))
  }

  @Test("each is served under a policy that loads from the gateway only", arguments: served)
  func heads(path: String) async throws {
    let (head, text) = try await Self.get(path)
    #expect(head[":status"] == "200")
    #expect(!text.isEmpty)
    let type =
      switch String(path.split(separator: ".").last ?? "") {
      case "js": "text/javascript; charset=utf-8"
      case "css": "text/css; charset=utf-8"
      case "svg": "image/svg+xml"
      default: "text/html; charset=utf-8"
      }
    #expect(head["content-type"] == type)
    #expect(head["content-length"] == String(text.utf8.count))
    #expect(head["content-security-policy"] == Self.policy)
    #expect(head["x-content-type-options"] == "nosniff")
    #expect(head["referrer-policy"] == "no-referrer", "the code stands in the path")
    #expect(head["cache-control"] == "no-cache")
    #expect(head.only("date") != nil)
    let etag = try #require(head["etag"])
    let again = try await Self.get(path, "GET", ["if-none-match": etag])
    #expect(again.head[":status"] == "304")
    #expect(again.head["etag"] == etag)
    #expect(again.text.isEmpty)
    let only = try await Self.get(path, "HEAD")
    #expect(only.head["content-length"] == head["content-length"])
    #expect(only.text.isEmpty)
    for (verb, status) in [("OPTIONS", "204"), ("POST", "405"), ("PUT", "405")] {
      let answer = try await Self.get(path, verb)
      #expect(answer.head[":status"] == status)
      #expect(answer.head["allow"] == "GET, HEAD, OPTIONS")
    }
  }

  @Test("over TLS, a browser is told to keep to it, but not on the machine of a developer")
  func strictTransport() async throws {
    let name = "strict-transport-security"
    for (place, isTLS, isTold) in [
      ("union.example:8443", true, true), ("union.example", true, true),
      ("localhost.example", true, true), ("localhost:8443", true, false),
      ("LOCALHOST", true, false), ("union.example", false, false),
    ] {
      for (path, verb) in [("/console", "GET"), ("/me", "HEAD"), ("/c", "GET"), ("/", "POST")] {
        let head = try await Self.get(path, verb, [":authority": place], isTLS: isTLS).head
        #expect((head[name] == "max-age=31536000") == isTold, "\(verb) \(place)\(path)")
      }
    }
  }

  @Test(
    "no code enters the page",
    arguments: [
      "YJ1-0", "%3Cscript%3Ealert(1)%3C/script%3E", "<script>alert(1)</script>", "\"onload=\"x",
      "../../etc/passwd", "..%2f..%2fpages%2fapi.js", "%00%0d%0aset-cookie:a=b", "a/b/c",
      String(repeating: "x", count: 4_000), "x?y=<b>", "",
    ])
  func hostileCodes(code: String) async throws {
    let page = try await Self.get("/me")
    let answer = try await Self.get("/c/\(code)")
    #expect(answer.head[":status"] == "200")
    #expect(answer.text == page.text)
    #expect(answer.head["etag"] == page.head["etag"])
  }

  @Test("what people type leads to the page")
  func redirects() async throws {
    for (path, place) in [("/c", "/me"), ("/me/", "/me"), ("/console/?a=b", "/console")] {
      let answer = try await Self.get(path)
      #expect(answer.head[":status"] == "302")
      #expect(answer.head["location"] == place)
    }
  }

  @Test(
    "no other path is a page's",
    arguments: [
      "/pages", "/pages/", "/pages/unknown.js", "/pages/API.js", "/pages/api.js/",
      "/pages//api.js", "/pages/./api.js", "/pages/../console", "/pages/%61pi.js",
      "/pages/api.js%00", "/pages/member.html", "/cc/x", "/consoles", "/console/x", "/me/x",
      "//", "/v1/c/x", "",
    ])
  func unknown(path: String) { #expect(!WebPages().claims(Self.head(path))) }

  @Test("no method of the JSON interface has the path of a page")
  func methods() throws {
    let document = try OpenAPIDocument(ContractBook(Contract.all), in: .english).json.bytes
    let json = try JSONSerialization.jsonObject(with: Data(document)) as? [String: Any]
    let paths = try #require(json?["paths"] as? [String: Any])
    #expect(paths.count > 50)
    for path in paths.keys { #expect(!WebPages().claims(Self.head(path)), "\(path)") }
  }

  @Test("whatever a page or a script loads is served")
  func parts() async throws {
    for path in Self.served {
      let text = try await Self.get(path).text
      let loaded =
        text.matches(of: #/(?:src|href)="(/[^"]*)"/#).map { String($0.1) }
        + text.matches(of: #/(?:from|import) "\.([^"]+)"/#).map { "/pages\($0.1)" }
      for part in loaded where !part.hasPrefix("/docs") {
        #expect(Self.served.contains(part), "\(path) loads \(part)")
      }
    }
  }

  @Test("text enters a page as text, and no script stands in its markup", arguments: served)
  func markup(path: String) async throws {
    let text = try await Self.get(path).text
      .replacing("http://www.w3.org/2000/svg", with: "")
    for risk in [
      "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
      "javascript:", "style=\"", "onclick=", "onload=", "http://", "document.cookie",
    ] {
      #expect(!text.contains(risk), "\(path) has \(risk)")
    }
  }
}
