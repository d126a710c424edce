import Foundation
import Logging
import ServiceKit
import Synchronization
import TestWaiting
import Testing

@testable import GatewayCore

/// The keys that an issuer publishes; nil while it is unreachable.
private final class Publisher: Sendable {
  let text = Mutex<String?>(nil)
  /// The issuers of the current configuration.
  let issuers = Mutex([TokenIssuerSetting]())

  struct Away: Error {}

  @Sendable func fetch(_ url: String, _ authorities: String?, _ bytesMax: Int) throws -> [UInt8] {
    guard let text = text.withLock({ $0 }) else { throw Away() }
    return Array(text.utf8)
  }
}

/// A log whose lines a test reads, with their metadata.
private struct LinesHandler: LogHandler {
  let lines: Shared<[String]>
  var metadata = Logger.Metadata()
  var logLevel = Logger.Level.info

  init(lines: Shared<[String]>) { self.lines = lines }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    lines.update { $0.append("\(event.message) \(event.metadata ?? [:])") }
  }
}

@Suite("Keys of issuers, downloaded")
struct KeyDownloadTests {
  private let lines = Shared<[String]>([])

  private func with(
    _ body: (TokenIssuerSetting, Publisher, KeyDownloads) async throws -> Void
  ) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    var setting = TestIssuer.setting(keysFile: folder.appending(path: "issuer.jwks").path)
    setting.keysURL = "https://id.example/jwks?access_token=\(Self.secret)"
    let publisher = Publisher()
    let logger = Logger(label: "test") { _ in LinesHandler(lines: lines) }
    let downloads = KeyDownloads(logger: logger) {
      try publisher.fetch($0, $1, $2)
    }
    try await body(setting, publisher, downloads)
  }

  private static let secret = "5up3rs3cr3t"
  private static let now = TestGateway.clock.microseconds
  private static let minute: Int64 = 60_000_000

  @Test("tokens are accepted after the first download, also while their issuer is unreachable")
  func first() async throws {
    try await with { setting, publisher, downloads in
      let issuers = try TokenIssuers([setting])
      let token = Array(try TestIssuer.token().utf8)
      #expect(await downloads.download(setting) == false)
      await #expect(throws: GatewayFailure.issuerKeysUnknown) {
        try await issuers.named(token, at: Self.now)
      }
      let keys = try String(contentsOfFile: TestIssuer.jwks, encoding: .utf8)
      publisher.text.withLock { $0 = keys }
      #expect(await downloads.download(setting))
      let named = try await issuers.named(token, at: Self.now + Self.minute)
      #expect(named.account == .partner(TestIssuer.partner))
      publisher.text.withLock { $0 = nil }
      #expect(await downloads.download(setting) == false)
      let restarted = try TokenIssuers([setting])
      #expect(try await restarted.named(token, at: Self.now) == named)
    }
  }

  @Test(
    "a published document without keys changes nothing", arguments: ["", "{}", "<html>", "[[[["])
  func broken(_ text: String) async throws {
    try await with { setting, publisher, downloads in
      let keys = try String(contentsOfFile: TestIssuer.jwks, encoding: .utf8)
      publisher.text.withLock { $0 = keys }
      #expect(await downloads.download(setting))
      publisher.text.withLock { $0 = text }
      #expect(await downloads.download(setting) == false)
      #expect(try String(contentsOfFile: setting.keysFile, encoding: .utf8) == keys)
      let line = try #require(lines.value.last)
      #expect(line.contains(setting.issuer) && line.contains("keys_url: "))
      #expect(!line.contains(Self.secret), "the query of a URL may be secret")
    }
  }

  @Test("issuers added by a reload are downloaded too")
  func running() async throws {
    try await with { setting, publisher, downloads in
      let keys = try String(contentsOfFile: TestIssuer.jwks, encoding: .utf8)
      publisher.text.withLock { $0 = keys }
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await downloads.run { publisher.issuers.withLock { $0 } } }
        publisher.issuers.withLock { $0 = [setting] }
        try await eventually { FileManager.default.fileExists(atPath: setting.keysFile) }
        group.cancelAll()
      }
    }
  }

  @Test(
    "a URL that others could intercept is refused",
    arguments: [
      ("https://id.example/jwks", true), ("http://127.0.0.1:8080/jwks", true),
      ("http://id.example/jwks", false), ("http://127.0.0.1.evil.example/", false),
      ("file:///etc/passwd", false), ("https://u:p@id.example/", false), ("jwks", false),
    ])
  func addresses(_ url: String, _ isRight: Bool) {
    var setting = TestIssuer.setting()
    setting.keysURL = url
    let faults = setting.faults(at: "token_issuers[0]") { _ in true }
    #expect(faults.isEmpty == isRight)
    #expect(isRight || faults[0].hasPrefix("token_issuers[0].keys_url: "))
  }
}
