import ServiceKit
import Storage

extension GatewayConfiguration {
  /// Reads a configuration; ``validate()`` checks it.
  ///
  /// - Parameter file: The configuration's file; nil for the defaults.
  /// - Throws: ``ConfigurationError``.
  public static func load(_ file: String?) throws -> GatewayConfiguration {
    try loadConfiguration(GatewayConfiguration.self, defaults: .init(), file: file)
  }

  /// Returns the URL of the store.
  ///
  /// - Throws: ``ConfigurationError`` where this gateway keeps nothing.
  public func storeURL() throws -> String {
    guard !database.isEmpty else {
      throw ConfigurationError("database: empty: this gateway keeps nothing")
    }
    return database
  }

  /// Opens every file that a start opens, uses none, and returns a fault for each that cannot be
  /// used.
  ///
  /// - Parameter tls: Loads the TLS files of a link as its server does.
  public func fileFaults(tls check: (ServedLink) throws -> Void) -> [String] {
    var faults = Faults()
    if !plaintext { _ = faults.catching("certificate") { try check(edge) } }
    if !database.isEmpty || services.values.contains(where: { !$0.identity.isEmpty }) {
      _ = faults.catching("tls") { try check(inner) }
    }
    _ = faults.catching("caller_token.private_key_file") {
      try TokenKeyFile.read(callerToken.privateKeyFile)
    }
    _ = faults.catching("token_issuers") { try TokenIssuers(tokenIssuers) }
    if !database.isEmpty {
      faults.add(keyrings.faults(["fields", "hashes", "page-tokens"]))
      _ = faults.catching("database") { try checkStorePlace(database) }
    }
    return faults.texts
  }
}
