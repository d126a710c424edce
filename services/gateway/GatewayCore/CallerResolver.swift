import RPC
public import ServiceKit

/// Proves who calls, by what the request shows.
public struct CallerResolver: Sendable {
  /// What every kiosk's key begins with, as yijia-stations makes them. It only decides who is asked
  /// to wait for the kiosks' feed; what counts is the hash.
  private static let kioskKeyPrefix = Array("yk_".utf8)

  private let directory: CallerDirectory
  private let kiosks: KioskDirectory
  private let clock: Clock

  public init(directory: CallerDirectory, kiosks: KioskDirectory, clock: Clock = .system) {
    self.directory = directory
    self.kiosks = kiosks
    self.clock = clock
  }

  /// A proven caller, and what its key is limited to.
  struct Proven: Sendable {
    let caller: Caller
    /// A kiosk's key, which can be revoked while a call runs.
    var kioskKey: CredentialHash?
    /// Paths; empty for all that the policy allows.
    var methods: Set<String> = []

    /// - Throws: ``GatewayFailure/methodNotGranted`` where the key does not cover the method.
    func check(_ path: String) throws(GatewayFailure) {
      guard methods.isEmpty || methods.contains(path) else { throw .methodNotGranted }
    }
  }

  /// - Throws: ``CommonFailure/callerUnproven`` and failures of ``GatewayFailure``.
  func resolve(_ head: RequestHead) async throws -> Proven {
    switch try Credential(head) {
    case .apiKey(let key): try await resolve(key: key)
    case .bearer(let token): try resolve(token: token)
    }
  }

  /// Runs a call of a proven caller; `onEnd` is called when the caller's key ends meanwhile.
  func hold<Result: Sendable>(
    _ proven: Proven, onEnd: @escaping @Sendable () -> Void,
    while body: () async -> Result
  ) async -> Result {
    guard let key = proven.kioskKey else { return await body() }
    let watch = kiosks.watch(key, onEnd: onEnd)
    defer { kiosks.stopWatching(watch) }
    return await body()
  }

  private func resolve(key: [UInt8]) async throws -> Proven {
    guard let hash = CredentialHash(of: key) else { throw CommonFailure.callerUnproven }
    if let partner = directory.partner(hash) {
      return Proven(caller: partner.caller, methods: partner.methods)
    }
    if key.starts(with: Self.kioskKeyPrefix) {
      return Proven(caller: try await kiosks.caller(hash), kioskKey: hash)
    }
    guard let kiosk = kiosks.known(hash) else { throw CommonFailure.callerUnproven }
    return Proven(caller: kiosk, kioskKey: hash)
  }

  private func resolve(token: [UInt8]) throws -> Proven {
    guard let hash = CredentialHash(of: token), let staff = directory.staff(hash) else {
      throw CommonFailure.callerUnproven
    }
    guard clock.now < staff.expiresAt else { throw GatewayFailure.credentialExpired }
    return Proven(caller: staff.caller)
  }
}
