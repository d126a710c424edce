import Foundation
import Storage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Checks that a process of this user can open a store, without creating or changing it. A server
/// is not asked.
///
/// - Parameter url: `sqlite:PATH` or `postgres://…`.
/// - Throws: ``ConfigurationError`` naming the file or folder.
public func checkStorePlace(_ url: String) throws {
  guard url.hasPrefix("sqlite:") else { return }
  let path = String(url.dropFirst("sqlite:".count))
  let isThere = access(path, F_OK) == 0
  let place = isThere ? path : URL(filePath: path).deletingLastPathComponent().path
  guard access(place, R_OK | W_OK) == 0 else {
    throw ConfigurationError("\(place): \(String(cString: strerror(errno)))")
  }
}

/// Makes a store's error one sentence for operators: which store, what, and what to do. Other
/// errors are returned unchanged.
///
/// - Parameter url: The address of the store; a password in it is not shown.
public func explained(_ error: any Error, database url: String) -> any Error {
  guard let error = error as? StorageError else { return error }
  if case .keyring = error { return error }
  let store = url.hasPrefix("sqlite:") ? String(url.dropFirst("sqlite:".count)) : "PostgreSQL"
  let detail = error.debugDetail.map { " (\($0))" } ?? ""
  let remedy = error.remedy.map { ": \($0)" } ?? ""
  return ConfigurationError("the store \(store): \(error)\(detail)\(remedy)")
}

extension KeyringFiles {
  /// Returns a fault for each of the named keyrings whose file cannot be used.
  public func faults(_ names: [String]) -> [String] {
    let files = ["fields": fieldsFile, "hashes": hashesFile, "page-tokens": pageTokensFile]
    var faults = Faults()
    for name in names {
      let key = "keyrings.\(name.replacing("-", with: "_"))_file"
      _ = faults.catching(key) { try Keyring(contentsOf: files[name] ?? "") }
    }
    return faults.texts
  }
}

extension ServiceConfiguration {
  /// Opens every file that a start opens besides TLS's, uses none, and returns a fault for each
  /// that cannot be used.
  ///
  /// - Parameters:
  ///   - keyrings: The names of the keyrings that the service reads.
  ///   - audience: The service, as caller tokens name it.
  ///   - tls: Loads the TLS files as the server, and the clients, do.
  public func fileFaults(
    keyrings names: [String], audience: String, tls check: () throws -> Void
  ) -> [String] {
    var faults = Faults()
    _ = faults.catching("tls") { try check() }
    faults.add(keyrings.faults(names))
    _ = faults.catching("caller_token_keys") { try callerTokenVerifier(audience: audience) }
    _ = faults.catching("database") { try checkStorePlace(database) }
    return faults.texts
  }
}
