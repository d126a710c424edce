import Foundation
import RPC
import RPCInProcess
import ServiceKit
import Testing
import YijiaTypeV1

@testable import GatewayCore

@Suite("Documentation")
struct DocumentationTests {
  private static func pages() throws -> InProcessChannel {
    InProcessChannel(
      Dispatcher(
        router: try Router(services: []),
        handlers: [APIPages(GatewayConfiguration(), origins: BrowserOrigins())]))
  }

  private static func get(
    _ path: String, _ verb: String = "GET", _ fields: HeaderList = [:]
  ) async throws -> (head: HeaderList, text: String) {
    var head: HeaderList = [":method": verb, ":path": path]
    head.add(contentsOf: fields)
    let exchange = try await pages().openExchange(RequestHead(fields: head))
    await exchange.finish()
    let answer = try await exchange.head()
    var bytes: [UInt8] = []
    while let chunk = try await exchange.nextChunk() { bytes += chunk }
    return (answer, String(decoding: bytes, as: UTF8.self))
  }

  private static func policies() throws -> [String: Policy] {
    let table = try PolicyTable(descriptorSets: Contract.all.map(\.descriptorSet))
    return Dictionary(
      uniqueKeysWithValues: table.paths.compactMap { path in table[path].map { (path, $0) } })
  }

  private static func document() async throws -> NSDictionary {
    let text = try await get("/openapi.json").text
    return try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? NSDictionary)
  }

  @Test("every method for external callers is in the document exactly once, and no other")
  func methods() async throws {
    let paths = try #require(try await Self.document()["paths"] as? [String: NSDictionary])
    let operations = paths.values.flatMap { ($0.allValues as? [NSDictionary]) ?? [] }
    let listed = operations.compactMap { $0["x-grpc-method"] as? String }
    let table = try Self.policies()
    let expected = table.filter { $0.value.callers.contains { $0 != .service } }.map(\.key)
    #expect(Set(listed) == Set(expected))
    #expect(operations.allSatisfy { ($0["description"] as? String)?.isEmpty == false })
    #expect(Set(operations.compactMap { $0["operationId"] as? String }).count == listed.count)
  }

  @Test("a path is its contract's, with one parameter per varying segment")
  func paths() async throws {
    let paths = try #require(try await Self.document()["paths"] as? [String: NSDictionary])
    let reveal = try #require(paths["/v1/members/{member}:reveal"]?["post"] as? NSDictionary)
    let parameters = try #require(reveal["parameters"] as? [NSDictionary])
    #expect(parameters.count == 1)
    #expect(parameters.first?["name"] as? String == "member")
    #expect(
      parameters.first?["description"] as? String == "The end of `name`: \"members/…\".")
    let list = try #require(paths["/v1/members"]?["get"] as? NSDictionary)
    let query = try #require(list["parameters"] as? [NSDictionary])
    #expect(query.contains { $0["name"] as? String == "pageSize" })
    #expect(query.allSatisfy { $0["in"] as? String == "query" })
    #expect(paths["/yijia.members.v1.MembersService/EnrollMembers"]?["post"] != nil)
    #expect(paths["/yijia.stations.v1.StationsService/WatchStationEvents"] == nil)
  }

  @Test("a response stream is described in every format, with the failure that may end it")
  func streams() async throws {
    let paths = try #require(try await Self.document()["paths"] as? [String: NSDictionary])
    let watch = try #require(paths["/v1/members:watchEvents"]?["get"] as? NSDictionary)
    let fields = try #require(watch["parameters"] as? [NSDictionary])
      .filter { $0["in"] as? String == "header" }
    #expect(fields.map { $0["name"] as? String } == ["last-event-id"])
    let success = try #require((watch["responses"] as? [String: NSDictionary])?["200"])
    let content = try #require(success["content"] as? [String: NSDictionary])
    #expect(Set(content.keys) == Set(JSONFormat.allCases.map(\.contentType)))
    let line = try #require(content["application/x-ndjson"]?["schema"] as? NSDictionary)
    let parts = try #require(line["properties"] as? [String: NSDictionary])
    #expect(parts["error"]?["$ref"] as? String == "#/components/schemas/google.rpc.Status")
    #expect((line["oneOf"] as? [NSDictionary])?.count == 2)
    let array = try #require(content["application/json"]?["schema"] as? NSDictionary)
    let element = try #require(array["items"] as? NSDictionary)
    let failure = try #require((element["anyOf"] as? [NSDictionary])?.last)
    #expect(failure["required"] as? [String] == ["error"])
    let events = try #require(content["text/event-stream"]?["schema"] as? NSDictionary)
    #expect((events["description"] as? String)?.contains("`event: error`") == true)
    let bulk = paths["/yijia.members.v1.MembersService/EnrollMembers"]?["post"] as? NSDictionary
    #expect(bulk != nil && bulk?["parameters"] == nil)
  }

  @Test(
    "an anonymous method has no security scheme in the document, and a column in the matrix"
  )
  func anybody() async throws {
    let paths = try #require(try await Self.document()["paths"] as? [String: NSDictionary])
    let signIn = try #require(paths["/v1/sessions:signIn"]?["post"] as? NSDictionary)
    #expect((signIn["security"] as? [NSDictionary])?.isEmpty == true)
    #expect(signIn["x-callers"] as? [NSDictionary] == [["kind": "anybody"]])
    let signOut = try #require(paths["/v1/sessions:signOut"]?["post"] as? NSDictionary)
    #expect((signOut["security"] as? [NSDictionary])?.isEmpty == false)
    let watch = try #require(paths["/v1/members:watchEvents"]?["get"] as? NSDictionary)
    let schemes = try #require(watch["security"] as? [NSDictionary])
      .flatMap { $0.allKeys }.compactMap { $0 as? String }
    #expect(schemes == ["apiKey", "certificate", "bearer"], "a partner may have a signed token")
    let open = try PolicyMatrix(GatewayConfiguration()).rows.filter { $0.allows(.anonymous) }
    #expect(
      open.map { $0.path.split(separator: "/").last } == [
        "SignIn", "RequestMemberCode", "SignInMember",
      ])
  }

  @Test("descriptions are the contracts' comments; fields have JSON names and types")
  func schemas() async throws {
    let components = try #require(try await Self.document()["components"] as? NSDictionary)
    let schemas = try #require(components["schemas"] as? [String: NSDictionary])
    let member = try #require(schemas["yijia.members.v1.Member"])
    #expect((member["description"] as? String)?.isEmpty == false)
    let fields = try #require(member["properties"] as? [String: NSDictionary])
    #expect(fields["memberNumber"]?["type"] as? String == "string")
    #expect((fields["memberNumber"]?["description"] as? String)?.isEmpty == false)
    #expect(schemas["google.rpc.Status"] != nil)
    #expect(schemas["google.protobuf.Timestamp"] == nil, "it is a string where it is used")
  }

  @Test("pages load nothing from other hosts, and are not sent again if unchanged")
  func pages() async throws {
    for path in ["/docs", "/docs/policy", "/openapi.json"] {
      let (head, text) = try await Self.get(path)
      #expect(head[":status"] == "200")
      #expect(head.only("date") != nil)
      #expect(head["content-length"] == String(text.utf8.count))
      #expect(head["content-security-policy"]?.hasPrefix("default-src 'none'") == true)
      for place in ["src=", "@import", ":url(", " url(", "<link"] {
        #expect(!text.contains(place), "\(path) loads something: \(place)")
      }
      let etag = try #require(head["etag"])
      for known in [etag, "W/\(etag)", "\"other\", W/\(etag)", "*"] {
        let again = try await Self.get(path, ["if-none-match": known])
        #expect(again.head[":status"] == "304", "\(known)")
        #expect(again.head.only("date") != nil)
        // HTTP/2 refuses a head whose status is not in front.
        #expect(again.head.name(at: 0) == ":status")
        #expect(again.head["etag"] == etag)
        #expect(again.text.isEmpty)
      }
      let other = try await Self.get(path, ["if-none-match": "\"other\""])
      #expect(other.head[":status"] == "200")
      let only = try await Self.get(path, "HEAD")
      #expect(only.head["content-length"] == String(text.utf8.count))
      #expect(only.text.isEmpty)
    }
  }

  private static func get(
    _ path: String, _ fields: HeaderList
  ) async throws -> (head: HeaderList, text: String) { try await get(path, "GET", fields) }

  @Test("what people type leads to the page")
  func redirects() async throws {
    for (path, place) in [
      ("/docs/", "/docs"), ("/docs/policy/", "/docs/policy"), ("/docs/?a=b", "/docs"),
    ] {
      let answer = try await Self.get(path)
      #expect(answer.head[":status"] == "302")
      #expect(answer.head["location"] == place)
      #expect(answer.head.only("date") != nil)
    }
  }

  @Test("a page tells what may be done with it")
  func verbs() async throws {
    for path in ["/docs/", "/docs", "/docs/policy", "/openapi.json"] {
      for (verb, status) in [("OPTIONS", "204"), ("POST", "405"), ("DELETE", "405")] {
        let answer = try await Self.get(path, verb)
        #expect(answer.head[":status"] == status, "\(verb) \(path)")
        #expect(answer.head["allow"] == "GET, HEAD, OPTIONS")
        #expect(answer.head.only("date") != nil)
        #expect(answer.text.isEmpty)
      }
    }
  }

  @Test("a page is in the language that the caller asks for")
  func languages() async throws {
    for (path, zh, en) in [
      ("/docs/policy", "谁可调用", "Who may call"), ("/openapi.json", "调用成功", "The call succeeded"),
      ("/docs", "lang=\"zh-CN\"", "lang=\"en\""),
    ] {
      let chinese = try await Self.get(path)
      let english = try await Self.get(path, ["accept-language": "en-GB"])
      #expect(chinese.text.contains(zh) && !chinese.text.contains(en))
      #expect(english.text.contains(en) && !english.text.contains(zh))
      #expect(english.head["content-language"] == "en")
      #expect(english.head["vary"] == "accept-language")
      #expect(english.head["etag"] != chinese.head["etag"])
    }
  }

  @Test("the usual failures of a method are described")
  func refusals() async throws {
    let document = try await Self.document()
    let paths = try #require(document["paths"] as? [String: NSDictionary])
    let enroll = try #require(paths["/v1/enrollments"]?["post"] as? NSDictionary)
    let responses = try #require(enroll["responses"] as? [String: NSDictionary])
    let usual = [
      "200", "400", "401", "403", "405", "408", "409", "413", "415", "429", "503", "504", "default",
    ]
    #expect(Set(responses.keys) == Set(usual))
    let components = try #require(document["components"] as? [String: NSDictionary])
    for name in responses.values.compactMap({ $0["$ref"] as? String }) {
      let key = String(name.dropFirst("#/components/responses/".count))
      #expect(components["responses"]?[key] != nil, "\(name)")
    }
    let signIn = try #require(paths["/v1/sessions:signIn"]?["post"] as? NSDictionary)
    #expect((signIn["responses"] as? NSDictionary)?["403"] == nil)
    let read = try #require(paths["/v1/members/{member}"]?["get"] as? NSDictionary)
    let ofRead = try #require(read["responses"] as? [String: NSDictionary])
    // It names an object, and has neither a body nor a request id.
    #expect(
      Set(ofRead.keys) == Set(usual).subtracting(["408", "409", "413", "415"]).union(["404"]))
  }

  @Test("the matrix agrees with the policy for every method and kind of caller")
  func matrix() throws {
    let matrix = try PolicyMatrix(GatewayConfiguration())
    let table = try Self.policies()
    #expect(Set(matrix.rows.map(\.path)) == Set(table.keys))
    for row in matrix.rows {
      let policy = try #require(table[row.path])
      for kind in PolicyMatrix.kinds {
        #expect(row.allows(kind) == policy.callers.contains(kind), "\(row.path) \(kind)")
      }
      #expect(row.limits.isEmpty != policy.callers.contains(.partner))
      #expect(matrix.html(in: .english).contains(row.path))
    }
    let line = try #require(
      matrix.text.split(separator: "\n").first { $0.contains("/SubmitEnrollment ") })
    #expect(line.contains("yes"))
    #expect(line.contains("1000/s, burst 10000; 1000 at once"))
  }
}
