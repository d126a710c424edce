import Logging
import ServiceKit
import Synchronization

/// Whose signed tokens (JWT, RFC 7519) prove callers, and the keys that they are signed with.
///
/// A token that was checked is remembered until it ends: checking one costs a hundred times more
/// than looking it up. A file of keys that has changed is read anew within ten seconds; one that
/// cannot be used then changes nothing.
///
/// Safe to use from any task.
final class TokenIssuers: Sendable {
  /// Bytes of a token that are looked at.
  private static let tokenBytesMax = 8_192
  /// Tokens that are remembered, some 300 bytes each.
  private static let tokensMax = 20_000
  /// How often the files are looked at, in microseconds.
  private static let lookInterval: Int64 = 10_000_000

  /// Whom a token names.
  struct Named: Sendable, Hashable {
    let account: NamedAccount
    /// Microseconds since 1970.
    let expiresAt: Int64
    /// What its scopes let call.
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
    /// When the files are looked at again; microseconds since 1970.
    var nextLook: Int64 = 0
    /// Rises with new keys, so that nothing is kept that old ones proved.
    var generation: UInt64 = 0
  }

  private let issuers: [String: Issuer]
  private let logger: Logger?
  private let state: Mutex<State>

  /// - Parameters:
  ///   - settings: That passed ``TokenIssuerSetting/faults(at:knows:)``.
  ///   - logger: Told of files that can be used no more.
  /// - Throws: ``ConfigurationError`` naming every file of keys that cannot be used.
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
      // What is downloaded may not be there yet.
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

  /// Whether a token may be one of these: three parts.
  func mayKnow(_ token: [UInt8]) -> Bool {
    !issuers.isEmpty && token.count(where: { $0 == UInt8(ascii: ".") }) == 2
  }

  /// Whom a token names.
  ///
  /// - Throws: ``CommonFailure/callerUnproven``, whatever is wrong with it,
  ///   ``GatewayFailure/credentialExpired``, and ``GatewayFailure/issuerKeysUnknown`` where its
  ///   issuer's keys were not downloaded yet.
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

  /// Nil where the claims prove nobody now. One that has ended is returned.
  private static func named(
    by claims: TokenClaims, of issuer: Issuer, now: Int64
  ) throws -> Named? {
    let skew = Double(issuer.setting.clockSkewSeconds)
    let time = Double(now) / 1_000_000
    guard claims.text("iss") == issuer.setting.issuer,
      claims.texts("aud").contains(issuer.setting.audience),
      // A token without an end is none: RFC 7519 leaves it to us.
      let end = try claims.time("exp"),
      try claims.time("nbf").map({ $0 - skew <= time }) ?? true,
      try claims.time("iat").map({ $0 - skew <= time }) ?? true,
      let account = issuer.account(of: claims)
    else { return nil }
    return Named(
      account: account, expiresAt: Int64((end + skew) * 1_000_000), grant: issuer.grant(of: claims))
  }

  /// Reads the files anew that have changed, where it is time to look.
  private func lookAtFiles(at now: Int64) {
    let stamps = state.withLock { state -> [String: IssuerKeys.Stamp]? in
      // A clock that was set back must not keep us from looking.
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
  /// Keeps a token; beyond the most those that have ended are forgotten, or all.
  fileprivate mutating func keep(
    _ named: TokenIssuers.Named, _ hash: CredentialHash, most: Int, at now: Int64
  ) {
    if checked.count >= most {
      checked = checked.filter { $0.value.expiresAt > now }
      // Half of the room at least, or it would be looked through again for each.
      if checked.count > most / 2 { checked = [:] }
    }
    checked[hash] = named
  }
}
