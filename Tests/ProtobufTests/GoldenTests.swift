import Foundation
import GoogleProtobuf
import Protobuf
import Testing

@testable import protoc_gen_yijia

/// Checks that the generator's output for Tests/Golden/golden.proto is what is committed beside it.
///
/// After an intended change of the generator: `YIJIA_GOLDEN=write swift test --filter Golden`, then
/// review the difference.
@Suite struct GoldenTests {
  private static let tests = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()
  private static let folder = tests.appending(path: "Golden")

  @Test("the generator's output equals the committed files")
  func agrees() async throws {
    let files = try Generator(try await Self.request()).files()
    let expected = Self.folder.appending(path: "expected")
    if ProcessInfo.processInfo.environment["YIJIA_GOLDEN"] == "write" {
      for file in files {
        try Data(file.content.utf8).write(to: expected.appending(path: Self.flat(file.name)))
      }
    }
    for file in files {
      let path = expected.appending(path: Self.flat(file.name))
      let text = try String(contentsOf: path, encoding: .utf8)
      #expect(file.content == text, "\(file.name)")
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: expected.path)
    #expect(Set(names) == Set(files.map { Self.flat($0.name) }))
  }

  @Test("a request is answered with the same bytes each time")
  func isDeterministic() async throws {
    let request = try await Self.request()
    let first = try Generator(request).files()
    #expect(try Generator(request).files() == first)
  }

  @Test("an unknown option is refused by name")
  func refusesOptions() throws {
    var request = CodeGeneratorRequest()
    request.parameter = "color=red"
    let error = #expect(throws: GeneratorError.self) { try Generator(request) }
    #expect(error?.message.contains("color=red") == true)
  }

  @Test(
    "names of contracts become names of Swift",
    arguments: [
      ("postal_code", "postalCode"), ("request_id", "requestID"), ("default", "`default`"),
      ("init", "init_"), ("unknown_fields", "unknownFields_"), ("map_int32", "mapInt32"),
    ])
  func names(proto: String, swift: String) {
    #expect(Names.member(proto) == swift)
  }

  @Test("enum values lose the name of their enum, unless a digit would remain")
  func enumCases() {
    #expect(
      Names.enumCase("OCCUPATION_GROUP_TRUCK_DRIVER", of: "OccupationGroup") == "truckDriver")
    #expect(Names.enumCase("KIND_1ST", of: "Kind") == "kind1st")
    #expect(Names.enumCase("COMPRESSABLE", of: "PayloadType") == "compressable")
  }

  /// Flattens the paths of several folders into one: nothing here is compiled.
  private static func flat(_ path: String) -> String {
    path.replacingOccurrences(of: "/", with: "_") + ".txt"
  }

  private static func request() async throws -> CodeGeneratorRequest {
    let output = FileManager.default.temporaryDirectory
      .appending(path: "golden-\(UUID().uuidString).pb")
    defer { try? FileManager.default.removeItem(at: output) }
    let status = try await Command.run(
      "protoc",
      [
        "--proto_path=\(folder.path)",
        "--proto_path=\(tests.deletingLastPathComponent().appending(path: "proto").path)",
        "--include_imports", "--include_source_info", "--descriptor_set_out=\(output.path)",
        "golden.proto",
      ])
    try #require(status == 0)
    var request = CodeGeneratorRequest()
    request.protoFile = try FileDescriptorSet(wireBytes: [UInt8](try Data(contentsOf: output))).file
    request.fileToGenerate = ["golden.proto"]
    return request
  }
}
