import Foundation
import Storage
import Testing

@testable import ServiceKit

@Suite("Files, errors and metrics as operators see them")
struct OperatorTextTests {
  @Test("every metric of the process has a line that says what it is")
  func help() {
    let text = ProcessMetrics.text()
    let names = text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }
      .map { $0.split(separator: " ")[2] }
    #expect(names.contains("yijia_build_info"))
    for name in names { #expect(text.contains("# HELP \(name) ")) }
  }

  @Test("a store's error names the store and what to do, and shows no password")
  func storeErrors() {
    let locked =
      "\(explained(StorageError.locked(.init("held by process 7")), database: "sqlite:a/b"))"
    #expect(locked.contains("a/b") && locked.contains("process 7") && locked.contains("stop that"))
    let down = StorageError.unreachable(.init("no route"))
    let text = "\(explained(down, database: "postgres://u:secret@h/d"))"
    #expect(text.contains("PostgreSQL") && !text.contains("secret"))
    let keyring = StorageError.keyring("k: no key")
    #expect("\(explained(keyring, database: "sqlite:a"))" == keyring.description)
  }

  @Test("a check names every file that cannot be used")
  func files() {
    var configuration = ServiceConfiguration(name: "none-such", port: 1)
    configuration.database = "sqlite:/none-such/a.sqlite"
    let faults = configuration.fileFaults(
      keyrings: ["fields", "page-tokens"], audience: "members"
    ) {
      throw ConfigurationError("x.key: No such file or directory")
    }.joined(separator: "; ")
    for part in [
      "tls: x.key", "fields_file: ", "page_tokens_file: ", "caller_token_keys: ",
      "database: /none-such",
    ] { #expect(faults.contains(part), "\(faults)") }
    #expect(!faults.contains("hashes"))
  }
}
