import Foundation
public import Logging
import ServiceKit

/// Downloads the keys of those issuers whose configuration has a URL, into their key files.
///
/// The file is authoritative: it survives a restart while the issuer is unreachable, and
/// ``TokenIssuers`` reads it again when it changes.
public struct KeyDownloads: Sendable {
  /// Fetches a URL, trusting the authorities of a file or the system's; `bytesMax` bounds the body.
  public typealias Fetch =
    @Sendable (
      _ url: String, _ authorities: String?, _ bytesMax: Int
    ) async throws -> [UInt8]

  /// Polling interval for due downloads: a reload may add an issuer.
  private static let turn: Duration = .seconds(2)
  /// Time between downloads. Issuers publish a key long before they sign with it.
  private static let interval: Duration = .seconds(300)
  /// Time until a failed download is retried.
  private static let retry: Duration = .seconds(10)

  private let fetch: Fetch
  private let logger: Logger

  public init(logger: Logger, fetch: @escaping Fetch) {
    self.fetch = fetch
    self.logger = logger
  }

  /// Downloads whatever is due, until the task is cancelled.
  ///
  /// - Parameter issuers: Returns the current issuers.
  public func run(_ issuers: @Sendable () -> [TokenIssuerSetting]) async {
    var due: [String: ContinuousClock.Instant] = [:]
    repeat {
      for issuer in issuers() where !issuer.keysURL.isEmpty {
        guard due[issuer.keysFile].map({ $0 <= .now }) ?? true else { continue }
        due[issuer.keysFile] = .now + (await download(issuer) ? Self.interval : Self.retry)
      }
      // A real sleep.
      try? await Task.sleep(for: Self.turn)
    } while !Task.isCancelled
  }

  /// Downloads an issuer's keys. Invalid keys leave the file as it is.
  /// - Returns: Whether the file has the published keys.
  func download(_ issuer: TokenIssuerSetting) async -> Bool {
    do {
      let authorities = issuer.keysAuthorityFile
      let data = Data(
        try await fetch(
          issuer.keysURL, authorities.isEmpty ? nil : authorities, IssuerKeys.bytesMax))
      // The URL stays out of the log: its query may be secret.
      _ = try IssuerKeys(data, of: "keys_url")
      if FileManager.default.contents(atPath: issuer.keysFile) != data {
        // Atomically: nobody reads half of it.
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
