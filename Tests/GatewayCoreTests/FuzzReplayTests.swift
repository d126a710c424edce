import Foundation
import FuzzCore
import FuzzGateway
import Testing

/// Replays the inputs of the edge's fuzz targets, as FuzzTests does with those of the runtime.
@Suite("fuzzing's inputs for the edge")
struct FuzzReplayTests {
  @Test("every target passes on its corpus", arguments: FuzzTarget.gateway.map(\.name))
  func corpus(name: String) throws {
    let target = try #require(FuzzTarget.gateway.first { $0.name == name })
    let inputs = try inputs(of: name, in: "corpus")
    #expect(!inputs.isEmpty, "Tests/Fuzz/corpus/\(name) is empty: make fuzz TARGETS=\(name)")
    for (file, bytes) in try inputs + self.inputs(of: name, in: "regressions") {
      #expect(throws: Never.self, "\(name)/\(file)") { try target.run(bytes) }
    }
  }

  private func inputs(of name: String, in kind: String) throws -> [(file: String, bytes: [UInt8])] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fuzz/\(kind)/\(name)").path
    guard FileManager.default.fileExists(atPath: folder) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map { file in
      (file, [UInt8](try Data(contentsOf: URL(filePath: "\(folder)/\(file)"))))
    }
  }
}
