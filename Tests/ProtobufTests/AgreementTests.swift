import Foundation
import Testing

/// Compares our encoding with Google's on random messages: agree.py and json_agree.py of
/// Tests/Torture.
@Suite struct AgreementTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  private static let environment = ProcessInfo.processInfo.environment
  private static let python = URL(
    filePath: environment["YIJIA_VENV"] ?? root.appending(path: ".venv").path
  ).appending(path: "bin/python")

  /// The halves of a part wait for each other: parts at once use all cores.
  private static let parts = 4

  @Test(
    "ten thousand random messages have the same bytes here and in Google's Python, both ways",
    .enabled(
      if: FileManager.default.isExecutableFile(atPath: python.path), "make deps makes .venv"),
    arguments: 1...parts)
  func agrees(part: Int) async throws {
    let count = Self.environment["YIJIA_TORTURE_COUNT"].flatMap { Int($0) } ?? 10_000
    try await run("agree.py", count: count / Self.parts)
  }

  @Test(
    "random messages have the same JSON here and in Google's Python, both ways",
    .enabled(
      if: FileManager.default.isExecutableFile(atPath: python.path), "make deps makes .venv"))
  func agreesInJSON() async throws {
    let count = Self.environment["YIJIA_JSON_COUNT"].flatMap { Int($0) } ?? 2_000
    try await run("json_agree.py", count: count)
  }

  private func run(_ script: String, count: Int) async throws {
    // The test runner is beside the products.
    let products = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
    let output = FileManager.default.temporaryDirectory
      .appending(path: "torture-\(UUID().uuidString).log")
    defer { try? FileManager.default.removeItem(at: output) }
    let status = try await Command.run(
      Self.python.path,
      [
        Self.root.appending(path: "Tests/Torture/\(script)").path,
        products.appending(path: "torture-agree").path, "--count", "\(count)",
      ], output: output.path)
    let text = try String(contentsOf: output, encoding: .utf8)
    // The output has the seed, which reproduces the messages.
    print(text)
    #expect(status == 0, "\(text)")
  }
}
