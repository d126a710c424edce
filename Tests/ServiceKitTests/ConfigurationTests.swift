import Foundation
import ServiceKit
import Testing

@Suite("Configuration")
struct ConfigurationTests {
  struct Example: CheckedConfiguration, Hashable {
    struct Backend: Codable, Sendable, Hashable {
      var host: String
      var port: Int
      var isShared: Bool?
    }
    var service = ServiceConfiguration(name: "example", port: 7_000)
    var limit = 10
    var label = "a"
    var backends: [Backend] = []
    var weights: [String: Double] = ["a": 1]

    func faults() -> [String] {
      var wrong = service.faults().map { "service.\($0)" }
      if limit > 10 { wrong.append("limit: 0 to 10") }
      for (index, backend) in backends.enumerated() where backend.host.isEmpty {
        wrong.append("backends[\(index)].host: not empty")
      }
      return wrong
    }
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
      ("backends: [{host: a}]", "backends[0].port: missing, expected a whole number"),
      ("- 1", "mapping"), ("a: [", "example.yaml"),
      ("service: 3", "service: expected keys with values, not \"3\" (line 1)"),
      ("label:", "label: expected text, not nothing"),
      ("label: [a]", "label: expected text, not a list"),
      ("limit: '3'", "limit: expected a whole number, not \"3\""),
      ("backends: {host: a}", "backends: expected a list, not keys with values"),
      ("backends: [a]", "backends[0]: expected keys with values, not \"a\""),
      ("backends: [{host: a, port: 1, isShared: 1}]", "[0].isShared: expected true or false"),
      ("weights: {b: x}", "weights.b: expected a number, not \"x\""),
    ])
  func wrong(text: String, named: String) {
    #expect { try parse(text) } throws: { error in
      (error as? ConfigurationError)?.description.contains(named) == true
    }
  }

  @Test("every fault of a file is named in one error, once and in the file's order")
  func several() {
    let error = #expect(throws: ConfigurationError.self) {
      try parse(
        """
        service:
          listen: {prot: 1}
          drain_seconds: soon
          log_level: loud
        limit: 11
        backends:
          - {port: high}
          - a
          - {host: "", port: 1}
        lable: b
        """)
    }
    #expect(
      error?.description == """
        example.yaml: backends[0].host: missing, expected text; \
        service.listen.prot: unknown key (line 2); \
        service.drain_seconds: expected a whole number, not "soon" (line 3); \
        backends[0].port: expected a whole number, not "high" (line 7); \
        backends[1]: expected keys with values, not "a" (line 8); \
        lable: unknown key (line 10); \
        service.log_level: one of trace, debug, info, notice, warning, error, critical; \
        limit: 0 to 10; backends[2].host: not empty
        """)
  }

  @Test("a word that is none of a choice is named with those that are, beside other faults")
  func choices() {
    enum Color: String, Codable, Sendable, CaseIterable {
      case red = "RED"
      case green = "GREEN"
    }
    struct Colors: CheckedConfiguration {
      var colors: [Color] = []
      var limit = 1
      func faults() -> [String] { limit > 1 ? ["limit: 1"] : [] }
    }
    let error = #expect(throws: ConfigurationError.self) {
      try parseConfiguration(
        Colors.self, defaults: Colors(), text: "colors: [RED, BLUE, [x]]\nlimit: 2\nlimmit: 3",
        file: "f")
    }
    #expect(
      error?.description == """
        f: colors[1]: expected one of RED, GREEN, not "BLUE" (line 1); \
        colors[2]: expected text, not a list (line 1); limmit: unknown key (line 3); limit: 1
        """)
  }

  @Test("a key that is stated twice is named, and nothing else of the file is shown")
  func duplicates() {
    let error = #expect(throws: ConfigurationError.self) {
      try parse("label: secret\nservice:\n  drain_seconds: 1\n  drain_seconds: 2")
    }
    #expect(error?.description == "example.yaml: drain_seconds: stated more than once (line 3)")
  }

  @Test("of a file's section, other keys are not read, and faults have their whole path")
  func section() throws {
    func parse(_ text: String) throws -> ServiceConfiguration {
      try parseConfiguration(
        ServiceConfiguration.self, defaults: Example().service, text: text, file: "f",
        section: "service")
    }
    #expect(try parse("other: 1\nservice: {drain_seconds: 1}").drainSeconds == 1)
    #expect(try parse("other: 1") == Example().service)
    #expect { try parse("service: {drain: 1, log_level: x}") } throws: { error in
      "\(error)".hasPrefix("f: service.drain: unknown key (line 1); service.log_level: one of")
    }
  }

  @Test(
    "an address names a workload",
    arguments: [("spiffe://yijia/a", true), ("foo", false), ("spiffe://yijia", false), ("", false)])
  func identities(_ identity: String, _ isValid: Bool) {
    let address = ServiceAddress(targets: ["a:1"], identity: identity)
    #expect(address.faults(at: "members", allowsPlaintext: false).isEmpty == isValid)
    #expect(
      address.faults(at: "members", allowsPlaintext: true).isEmpty == (isValid || identity.isEmpty))
  }

  @Test("a check names unknown keys, wrong fields and wrong files in one error")
  func check() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).yaml").path
    defer { try? FileManager.default.removeItem(atPath: file) }
    func check(_ text: String, _ files: [String]) throws -> String {
      try Data(text.utf8).write(to: URL(filePath: file))
      return try checkConfiguration(
        ServiceConfiguration.self, defaults: Example().service, file: file, files: { _ in files })
    }
    #expect(try check("drain_seconds: 1", []) == "\(file): good")
    #expect { try check("{drain: 1, log_level: x}", ["database: none"]) } throws: { error in
      let text = "\(error)"
      return text.hasPrefix("\(file): drain: unknown key (line 1); log_level: one of")
        && text.hasSuffix("; database: none")
    }
    #expect(throws: ConfigurationError.self) { try check("drain_seconds: 1", ["tls: none"]) }
  }

  @Test("every value out of its range is named, in one error")
  func limits() {
    var service = ServiceConfiguration(name: "example", port: 70_000)
    service.admin.host = "0.0.0.0"
    service.database = "mysql:x"
    service.logLevel = "loud"
    #expect { try service.validate() } throws: { error in
      let text = "\(error)"
      return ["listen.port: ", "; admin.host: ", "; database: ", "; log_level: one of trace, "]
        .allSatisfy(text.contains)
    }
  }
}
