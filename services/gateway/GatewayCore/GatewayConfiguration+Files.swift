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

  /// Checks a file of configuration and every file that it names; without a file the defaults.
  ///
  /// - Parameters:
  ///   - server: Throws if the files of a listener's TLS cannot be used.
  /// - Returns: The text for the person who asked.
  /// - Throws: ``ConfigurationError`` naming every wrong field and file.
  public static func check(
    _ file: String?, server: (ServedLink) throws -> Void
  ) throws -> String {
    try checkConfiguration(GatewayConfiguration.self, defaults: .init(), file: file) {
      $0.fileFaults(tls: server)
    }
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

  /// Returns a fault for each file of the webhook that cannot be used.
  func memberCodeFileFaults() -> [String] {
    guard memberCodeSender == "webhook" else { return [] }
    return memberCodeWebhook.fileFaults(at: "member_code_webhook")
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
    faults.add(memberCodeFileFaults())
    if !database.isEmpty {
      faults.add(keyrings.faults(["fields", "hashes", "page-tokens"]))
      _ = faults.catching("database") { try checkStorePlace(database) }
    }
    return faults.texts
  }
}
