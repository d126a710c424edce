import ServiceKit
import Testing

@Suite("Configuration")
struct ConfigurationTests {
  struct Example: Codable, Sendable, Hashable {
    struct Backend: Codable, Sendable, Hashable {
      var host: String
      var port: Int
    }
    var service = ServiceConfiguration(name: "example", port: 7_000)
    var limit = 10
    var label = "a"
    var backends: [Backend] = []
  }

  private func parse(_ text: String) throws -> Example {
    try parseConfiguration(Example.self, defaults: Example(), text: text, file: "example.yaml")
  }

  @Test("missing values have their defaults, also within a section")
  func defaults() throws {
    let value = try parse("service: {listen: {port: 1}}\nlabel: b\n")
    var expected = Example()
    expected.service.listen.port = 1
    expected.label = "b"
    #expect(value == expected)
    #expect(try parse("") == Example())
  }

  @Test("JSON is accepted too")
  func json() throws {
    #expect(try parse(#"{"limit": 3, "backends": [{"host": "h", "port": 1}]}"#).limit == 3)
  }

  @Test("a list replaces the default's")
  func lists() throws {
    #expect(try parse("backends: [{host: a, port: 1}, {host: b, port: 2}]").backends.count == 2)
  }

  @Test(
    "an invalid file is refused with the path of the error",
    arguments: [
      ("limt: 3", "limt"), ("service: {listen: {prot: 1}}", "service.listen.prot"),
      ("limit: many", "limit"), ("limit: 1.5", "limit"),
      ("backends: [{host: a, port: 1, weight: 3}]", "backends[0].weight"),
      ("backends: [{host: a}]", "port"), ("- 1", "mapping"), ("a: [", "example.yaml"),
      ("service: 3", "service"),
    ])
  func wrong(text: String, named: String) {
    #expect { try parse(text) } throws: { error in
      (error as? ConfigurationError)?.description.contains(named) == true
    }
  }

  @Test("every value out of its range is named, in one error")
  func limits() {
    var service = ServiceConfiguration(name: "example", port: 70_000)
    service.database = "mysql:x"
    service.logLevel = "loud"
    #expect { try service.validate() } throws: { error in
      let text = "\(error)"
      return ["listen.port: ", "; database: ", "; log_level: one of trace, "]
        .allSatisfy(text.contains)
    }
  }
}
