import Foundation
public import Logging
import ServiceKit

/// Keeps the files of issuers' keys as their issuers publish them, where the configuration says
/// where that is.
///
/// The file is what counts: it survives a restart while the issuer is away, and whoever checks
/// tokens reads it anew when it changes (``TokenIssuers``).
public struct KeyDownloads: Sendable {
  /// Gets what is at a URL: trusting the authorities of a file, or the system's; so many bytes at
  /// most.
  public typealias Fetch =
    @Sendable (
      _ url: String, _ authorities: String?, _ bytesMax: Int
    ) async throws -> [UInt8]

  /// How often it is looked whether anything is due: after a reload, a new issuer is.
  private static let turn: Duration = .seconds(2)
  /// Time between downloads. Issuers publish a key long before they sign with it.
  private static let interval: Duration = .seconds(300)
  /// Time before another try.
  private static let retry: Duration = .seconds(10)

  private let fetch: Fetch
  private let logger: Logger

  public init(logger: Logger, fetch: @escaping Fetch) {
    self.fetch = fetch
    self.logger = logger
  }

  /// Downloads what is due, again and again, until the task is cancelled.
  ///
  /// - Parameter issuers: Those of now.
  public func run(_ issuers: @Sendable () -> [TokenIssuerSetting]) async {
    var due: [String: ContinuousClock.Instant] = [:]
    repeat {
      for issuer in issuers() where !issuer.keysURL.isEmpty {
        guard due[issuer.keysFile].map({ $0 <= .now }) ?? true else { continue }
        due[issuer.keysFile] = .now + (await download(issuer) ? Self.interval : Self.retry)
      }
      // Time itself is meant.
      try? await Task.sleep(for: Self.turn)
    } while !Task.isCancelled
  }

  /// Whether the file holds what is published now. What cannot be used changes nothing.
  func download(_ issuer: TokenIssuerSetting) async -> Bool {
    do {
      let authorities = issuer.keysAuthorityFile
      let data = Data(
        try await fetch(
          issuer.keysURL, authorities.isEmpty ? nil : authorities, IssuerKeys.bytesMax))
      _ = try IssuerKeys(data, of: issuer.keysURL)
      if FileManager.default.contents(atPath: issuer.keysFile) != data {
        // In one step: nobody reads half of it.
        try data.write(to: URL(filePath: issuer.keysFile), options: .atomic)
      }
      return true
    } catch {
      if !Task.isCancelled {
        logger.error(
          "an issuer's keys cannot be downloaded, those before stay",
          metadata: ["issuer": "\(issuer.issuer)", "cause": "\(error)"])
      }
      return false
    }
  }
}
