import Foundation
import FuzzCore
import FuzzRuntime
import FuzzServices
import Testing

/// Replays committed fuzzing inputs: those in `Tests/Fuzz/corpus/<target>` cover a target, those in
/// `Tests/Fuzz/regressions/<target>` once failed.
@Suite("fuzzing's inputs")
struct ReplayTests {
  private static let targets = FuzzTarget.runtime + FuzzTarget.services

  @Test("every target passes on its corpus", arguments: Self.targets.map(\.name))
  func corpus(name: String) throws {
    let inputs = try inputs(of: name, in: "corpus")
    #expect(!inputs.isEmpty, "Tests/Fuzz/corpus/\(name) is empty: make fuzz TARGETS=\(name)")
    try replay(inputs, on: name)
  }

  @Test("inputs that once failed pass", arguments: Self.targets.map(\.name))
  func regressions(name: String) throws {
    try replay(try inputs(of: name, in: "regressions"), on: name)
  }

  @Test("every folder of inputs belongs to a target")
  func folders() throws {
    // The last three are the gateway's, whose inputs GatewayCoreTests runs.
    let names = Set(Self.targets.map(\.name) + ["http1", "path-templates", "targets"])
    for kind in ["corpus", "regressions"] {
      let found = try FileManager.default.contentsOfDirectory(atPath: "\(root)/\(kind)")
      #expect(Set(found).subtracting(names).isEmpty)
    }
  }

  private var root: String {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fuzz").path
  }

  private func inputs(of name: String, in kind: String) throws -> [(file: String, bytes: [UInt8])] {
    let folder = "\(root)/\(kind)/\(name)"
    guard FileManager.default.fileExists(atPath: folder) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map { file in
      (file, [UInt8](try Data(contentsOf: URL(filePath: "\(folder)/\(file)"))))
    }
  }

  private func replay(_ inputs: [(file: String, bytes: [UInt8])], on name: String) throws {
    let target = try #require(Self.targets.first { $0.name == name })
    for input in inputs {
      #expect(throws: Never.self, "\(name)/\(input.file)") { try target.run(input.bytes) }
    }
  }
}
