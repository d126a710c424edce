import Logging
import ServiceKit
import Synchronization

/// Authenticates signed tokens (JWT, RFC 7519) by their issuers' keys.
///
/// Verified tokens are cached until they expire, as verification costs a hundred times more than a
/// look-up. A changed key file is read again within ten seconds; if it is invalid then, the keys
/// before stay in use.
///
/// Safe to use from any task.
final class TokenIssuers: Sendable {
  /// Longest token that is verified, in bytes.
  private static let tokenBytesMax = 8_192
  /// Size of the cache, in tokens of some 300 bytes each.
  private static let tokensMax = 20_000
  /// Interval at which the key files are checked for changes, in microseconds.
  private static let lookInterval: Int64 = 10_000_000

  /// What a verified token states.
  struct Named: Sendable, Hashable {
    let account: NamedAccount
    /// Expiry plus clock skew, in microseconds since 1970.
    let expiresAt: Int64
    /// The methods that its scopes grant.
    let grant: Grant
  }

  private struct Issuer: Sendable {
    let setting: TokenIssuerSetting
    let accounts: [String: NamedAccount]
    let scopes: [String: [String]]

    func account(of claims: TokenClaims) -> NamedAccount? {
      guard let subject = claims.text(setting.subjectClaim) else { return nil }
      return accounts[subject] ?? NamedAccount(kind: setting.subjectKind, id: subject)
    }

    func grant(of claims: TokenClaims) -> Grant {
      if scopes.isEmpty { return .all }
      let paths = claims.words(setting.scopeClaim).flatMap { scopes[$0] ?? [] }
      return Grant(paths: Set(paths))
    }
  }

  fileprivate struct State {
    var keys: [String: IssuerKeys] = [:]
    var stamps: [String: IssuerKeys.Stamp] = [:]
    var checked: [CredentialHash: Named] = [:]
    /// When the key files are checked next, in microseconds since 1970.
    var nextLook: Int64 = 0
    /// Incremented with new keys, so that no result of old ones is cached afterwards.
    var generation: UInt64 = 0
  }

  private let issuers: [String: Issuer]
  private let logger: Logger?
  private let state: Mutex<State>

  /// - Parameters:
  ///   - settings: Ones that passed ``TokenIssuerSetting/faults(at:knows:)``.
  ///   - logger: Receives errors about key files that became invalid.
  /// - Throws: ``ConfigurationError`` naming every invalid key file.
  init(_ settings: [TokenIssuerSetting], logger: Logger? = nil) throws {
    var state = State()
    var issuers: [String: Issuer] = [:]
    var faults = Faults()
    for (index, setting) in settings.enumerated() {
      issuers[setting.issuer] = Issuer(
        setting: setting,
        accounts: Dictionary(
          setting.subjects.compactMap { subject in subject.account.map { (subject.subject, $0) } },
          uniquingKeysWith: { first, _ in first }),
        scopes: Dictionary(
          setting.scopes.map { ($0.scope, $0.methods) }, uniquingKeysWith: { first, _ in first }))
      state.stamps[setting.issuer] = IssuerKeys.Stamp(of: setting.keysFile)
      // A file to be downloaded may not exist yet.
      if !setting.keysURL.isEmpty, state.stamps[setting.issuer]?.size == nil { continue }
      state.keys[setting.issuer] = faults.catching("token_issuers[\(index)].keys_file") {
        try IssuerKeys(contentsOf: setting.keysFile)
      }
    }
    try faults.check()
    self.issuers = issuers
    self.logger = logger
    self.state = Mutex(state)
  }

  /// Whether a bearer token may be a JWT: it has three parts.
  func mayKnow(_ token: [UInt8]) -> Bool {
    !issuers.isEmpty && token.count(where: { $0 == UInt8(ascii: ".") }) == 2
  }

  /// Verifies a token and returns what it states.
  ///
  /// - Throws: ``CommonFailure/callerUnproven`` for any invalid token,
  ///   ``GatewayFailure/credentialExpired``, and ``GatewayFailure/issuerKeysUnknown`` where the
  ///   issuer's keys have not been downloaded yet.
  func named(_ token: [UInt8], at now: Int64) async throws -> Named {
    guard let hash = CredentialHash(of: token, bytesMax: Self.tokenBytesMax) else {
      throw CommonFailure.callerUnproven
    }
    lookAtFiles(at: now)
    let (known, generation) = state.withLock { ($0.checked[hash], $0.generation) }
    if let known {
      guard known.expiresAt > now else { throw GatewayFailure.credentialExpired }
      return known
    }
    let found = try await check(token, at: now)
    guard found.expiresAt > now else { throw GatewayFailure.credentialExpired }
    state.withLock { state in
      guard state.generation == generation else { return }
      state.keep(found, hash, most: Self.tokensMax, at: now)
    }
    return found
  }

  private func check(_ token: [UInt8], at now: Int64) async throws -> Named {
    let parts = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3, let head = TokenClaims.decoded(TokenHead.self, parts[0]),
      head.crit == nil, let name = TokenClaims.decoded(TokenClaims.self, parts[1])?.text("iss"),
      let issuer = issuers[name], issuer.setting.algorithms.contains(head.alg)
    else { throw CommonFailure.callerUnproven }
    guard let keys = state.withLock({ $0.keys[name] }) else {
      throw GatewayFailure.issuerKeysUnknown
    }
    for key in keys.named(head.kid) {
      guard let claims = await key.claims(of: token, by: head.alg) else { continue }
      if let named = try? Self.named(by: claims, of: issuer, now: now) { return named }
      break
    }
    throw CommonFailure.callerUnproven
  }

  /// Returns nil where the claims authenticate nobody at the moment, except by expiry: an expired
  /// token is returned.
  private static func named(
    by claims: TokenClaims, of issuer: Issuer, now: Int64
  ) throws -> Named? {
    let skew = Double(issuer.setting.clockSkewSeconds)
    let time = Double(now) / 1_000_000
    guard claims.text("iss") == issuer.setting.issuer,
      claims.texts("aud").contains(issuer.setting.audience),
      // A token without an expiry is refused; RFC 7519 leaves that to the reader.
      let end = try claims.time("exp"),
      try claims.time("nbf").map({ $0 - skew <= time }) ?? true,
      try claims.time("iat").map({ $0 - skew <= time }) ?? true,
      let account = issuer.account(of: claims)
    else { return nil }
    return Named(
      account: account, expiresAt: Int64((end + skew) * 1_000_000), grant: issuer.grant(of: claims))
  }

  /// Reads changed key files again, at most once per `lookInterval`.
  private func lookAtFiles(at now: Int64) {
    let stamps = state.withLock { state -> [String: IssuerKeys.Stamp]? in
      // The second condition: a clock that was set back must not stop the checks.
      guard now >= state.nextLook || now < state.nextLook - Self.lookInterval else { return nil }
      state.nextLook = now + Self.lookInterval
      return state.stamps
    }
    guard let stamps else { return }
    for (name, issuer) in issuers {
      let file = issuer.setting.keysFile
      let stamp = IssuerKeys.Stamp(of: file)
      guard stamp != stamps[name] else { continue }
      do {
        let keys = try IssuerKeys(contentsOf: file)
        state.withLock { state in
          state.keys[name] = keys
          state.checked = [:]
          state.generation += 1
        }
        logger?.notice("an issuer's keys were read anew", metadata: ["issuer": "\(name)"])
      } catch {
        logger?.error(
          "an issuer's keys cannot be used, those before stay", metadata: ["cause": "\(error)"])
      }
      state.withLock { $0.stamps[name] = stamp }
    }
  }
}

extension TokenIssuers.State {
  /// Caches a token. At the limit, expired tokens are dropped, or all of them.
  fileprivate mutating func keep(
    _ named: TokenIssuers.Named, _ hash: CredentialHash, most: Int, at now: Int64
  ) {
    if checked.count >= most {
      checked = checked.filter { $0.value.expiresAt > now }
      // Frees half of the cache at least; otherwise each insertion would scan it.
      if checked.count > most / 2 { checked = [:] }
    }
    checked[hash] = named
  }
}
