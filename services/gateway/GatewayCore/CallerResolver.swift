import RPC
public import ServiceKit
import Storage
import YijiaTypeV1

/// Authenticates the caller of a request.
public struct CallerResolver: Sendable {
  /// Longest sleep between two checks whether the credential of a running stream has expired.
  private static let lookMicroseconds: Int64 = 3_600_000_000

  private let directory: CallerDirectory
  private let kiosks: KioskDirectory
  private let accounts: AccountDirectory?
  private let clock: Clock
  /// Deadline of the call whose caller is resolved; it bounds look-ups in the store.
  private var deadline: Deadline?

  /// - Parameters:
  ///   - directory: The callers of the configuration; they take precedence over the store.
  ///   - store: Further accounts; nil for none.
  public init(
    directory: CallerDirectory, kiosks: KioskDirectory, store: GatewayStore? = nil,
    clock: Clock = .system
  ) {
    self.directory = directory
    self.kiosks = kiosks
    accounts = store?.directory
    self.clock = clock
  }

  /// An authenticated caller and the restrictions of its credential.
  struct Proven: Sendable {
    /// A credential that can be revoked while a call runs.
    enum Held: Sendable {
      case kiosk(CredentialHash)
      case account(CredentialHash, CredentialKind, AccountEntry)
    }

    let caller: Caller
    var held: Held?
    var grant = Grant.all
    /// The partner's own limits, which override the defaults.
    var limits: [LimitSetting] = []
    /// When the credential expires, in microseconds since 1970; nil where it does not, or where
    /// ``held`` is watched for it.
    var endsAt: Int64?

    /// The caller of methods that need no authentication.
    static let anonymous = Proven(caller: Caller(kind: .anonymous, subject: "anonymous"))

    /// Resource name of the session that authenticated the caller.
    var session: String? {
      if case .account(_, _, let entry) = held { entry.session?.name } else { nil }
    }
  }

  /// Returns a resolver whose look-ups in the store are bounded by `deadline`.
  func by(_ deadline: Deadline?) -> CallerResolver {
    var bounded = self
    bounded.deadline = deadline
    return bounded
  }

  /// Authenticates the sender of a request: by its API key or bearer token, else by the
  /// connection's client certificate.
  ///
  /// - Throws: ``CommonFailure/callerUnproven`` and failures of ``GatewayFailure``.
  func resolve(_ head: RequestHead, from peer: @autoclosure () -> Peer) async throws -> Proven {
    switch try Credential(head) {
    case nil:
      guard let certificate = peer().certificate else { throw CommonFailure.callerUnproven }
      return try await resolve(certificate)
    case .apiKey(let key): return try await resolve(key: key)
    case .bearer(let token): return try await resolve(token: token)
    }
  }

  /// Returns the result of `resolve(_:from:)` if it can be had without suspending. Returns nil
  /// otherwise, and always for bearer tokens, certificates and callers who are refused.
  func atHand(_ head: RequestHead) -> Proven? {
    guard case .apiKey(let key)? = try? Credential(head), let hash = CredentialHash(of: key) else {
      return nil
    }
    if let partner = directory.partner(hash) {
      return Proven(caller: partner.caller, grant: partner.grant, limits: partner.limits)
    }
    if let accounts, Secret.isOne(key, .partner) {
      guard let entry = accounts.known(hash),
        entry.expiresAt == .max || entry.expiresAt > clock.microseconds
      else { return nil }
      return Proven(
        caller: entry.caller, held: .account(hash, .key, entry), grant: entry.grant,
        limits: entry.limits)
    }
    return kiosks.known(hash).map { Proven(caller: $0, held: .kiosk(hash)) }
  }

  /// Whether ``atHand(_:)`` would return the same for a credential that it resolved before.
  func stillHolds(_ proven: Proven) -> Bool {
    switch proven.held {
    case nil: return true
    case .kiosk(let hash): return kiosks.known(hash) == proven.caller
    case .account(let hash, _, let entry):
      guard let now = accounts?.known(hash) else { return false }
      return now.caller == entry.caller && now.grant == entry.grant && now.limits == entry.limits
        && now.expiresAt == entry.expiresAt
        && (now.expiresAt == .max || now.expiresAt > clock.microseconds)
    }
  }

  /// The registration of a watched credential.
  enum Watching: Sendable {
    case kiosk(KioskDirectory.Watch)
    case account(AccountDirectory.Watch)
  }

  /// Watches a caller's credential and calls `onEnd` when it is revoked. Returns nil where there is
  /// nothing to watch.
  ///
  /// - Parameter isUnary: As for `hold(_:isUnary:onEnd:while:)`.
  func watch(
    _ proven: Proven, isUnary: Bool, onEnd: @escaping @Sendable () -> Void
  ) -> Watching? {
    switch proven.held {
    case .kiosk(let key): .kiosk(kiosks.watch(key, onEnd: onEnd))
    case .account(let hash, let kind, let entry) where !isUnary:
      accounts.map { .account($0.watch(hash, kind, entry, onEnd: onEnd)) }
    case .account, nil: nil
    }
  }

  func stop(_ watching: Watching) {
    switch watching {
    case .kiosk(let watch): kiosks.stopWatching(watch)
    case .account(let watch): accounts?.stopWatching(watch)
    }
  }

  /// Runs a call, and calls `onEnd` if the caller's credential ends meanwhile.
  ///
  /// - Parameter isUnary: Unary calls are short: for them the credentials of accounts are not
  ///   watched.
  func hold<Result: Sendable>(
    _ proven: Proven, isUnary: Bool, onEnd: @escaping @Sendable () -> Void,
    while body: () async -> Result
  ) async -> Result {
    guard !isUnary, let end = proven.endsAt else {
      return await holdAccount(proven, isUnary: isUnary, onEnd: onEnd, while: body)
    }
    return await withTaskGroup(of: Void.self) { group in
      group.addTask {
        guard await passes(end) else { return }
        onEnd()
      }
      let result = await holdAccount(proven, isUnary: isUnary, onEnd: onEnd, while: body)
      group.cancelAll()
      return result
    }
  }

  /// Suspends until `end` has passed and returns true; returns false when the task is cancelled.
  private func passes(_ end: Int64) async -> Bool {
    while true {
      let left = end - clock.microseconds
      if left <= 0 { return true }
      do {
        // A real sleep, in slices: the wall clock may be set meanwhile, so it is read again.
        try await Task.sleep(for: .microseconds(min(left, Self.lookMicroseconds)))
      } catch {
        return false
      }
    }
  }

  private func holdAccount<Result: Sendable>(
    _ proven: Proven, isUnary: Bool, onEnd: @escaping @Sendable () -> Void,
    while body: () async -> Result
  ) async -> Result {
    let watching = watch(proven, isUnary: isUnary, onEnd: onEnd)
    defer { if let watching { stop(watching) } }
    return await body()
  }

  private func resolve(key: [UInt8]) async throws -> Proven {
    guard let hash = CredentialHash(of: key) else { throw CommonFailure.callerUnproven }
    if let partner = directory.partner(hash) {
      return Proven(caller: partner.caller, grant: partner.grant, limits: partner.limits)
    }
    // The prefix only decides whether an unknown key may wait for the kiosks' feed; authentication
    // is by hash.
    if key.starts(with: Secret.Prefix.kiosk.rawValue.utf8) {
      return Proven(caller: try await kiosks.caller(hash), held: .kiosk(hash))
    }
    if let accounts, Secret.isOne(key, .partner) {
      return try await resolve(hash, .key, in: accounts)
    }
    guard let kiosk = kiosks.known(hash) else { throw CommonFailure.callerUnproven }
    return Proven(caller: kiosk, held: .kiosk(hash))
  }

  private func resolve(
    _ hash: CredentialHash, _ kind: CredentialKind, in accounts: AccountDirectory
  ) async throws -> Proven {
    let entry =
      if let known = accounts.known(hash) {
        known
      } else {
        try await find(hash, kind, in: accounts)
      }
    guard let entry else { throw CommonFailure.callerUnproven }
    if entry.expiresAt < .max, entry.expiresAt <= clock.microseconds {
      throw GatewayFailure.credentialExpired
    }
    return Proven(
      caller: entry.caller, held: .account(hash, kind, entry), grant: entry.grant,
      limits: entry.limits)
  }

  /// Authenticates by a verified client certificate, until it expires.
  private func resolve(_ certificate: PeerCertificate) async throws -> Proven {
    let end = certificate.expiresAt
    guard clock.microseconds < end else { throw GatewayFailure.credentialExpired }
    let hashes = CertificateIdentity.hashes(of: certificate)
    for hash in hashes {
      guard let partner = directory.partner(certificate: hash) else { continue }
      return Proven(
        caller: partner.caller, grant: partner.grant, limits: partner.limits, endsAt: end)
    }
    guard let accounts else { throw CommonFailure.callerUnproven }
    // Memory first: a caller known by a name must not cost a look-up of the fingerprint in the
    // store for each call.
    let now = clock.microseconds
    var found = hashes.first { accounts.known($0).map { $0.endsAt > now } ?? false }
    var ended: CredentialHash?
    for hash in hashes where found == nil {
      guard let entry = try await find(hash, .certificate, in: accounts) else { continue }
      if entry.endsAt > now { found = hash } else { ended = hash }
    }
    guard let hash = found ?? ended else { throw CommonFailure.callerUnproven }
    var proven = try await resolve(hash, .certificate, in: accounts)
    proven.endsAt = min(proven.endsAt ?? .max, end)
    return proven
  }

  /// Authenticates by a signed token, within the grant that the token states.
  private func resolve(signed token: [UInt8]) async throws -> Proven {
    let named = try await directory.issuers.named(token, at: clock.microseconds)
    var proven = try await resolve(named.account)
    proven.grant = proven.grant.intersection(named.grant)
    proven.endsAt = min(proven.endsAt ?? .max, named.expiresAt)
    return proven
  }

  /// Resolves an account that a credential other than its own secret names.
  private func resolve(_ account: NamedAccount) async throws -> Proven {
    if let partner = directory.partner(account) {
      return Proven(caller: partner.caller, grant: partner.grant, limits: partner.limits)
    }
    if let staff = directory.staff(account) {
      guard clock.now < staff.expiresAt else { throw GatewayFailure.credentialExpired }
      return Proven(caller: staff.caller, endsAt: staff.expiresAt.microseconds)
    }
    // yijia-members decides whether the person is still a member.
    if case .member = account {
      return Proven(caller: Caller(kind: .member, subject: account.name))
    }
    guard let accounts, let hash = account.hash else { throw CommonFailure.callerUnproven }
    return try await resolve(hash, .named(account), in: accounts)
  }

  private func resolve(token: [UInt8]) async throws -> Proven {
    if directory.issuers.mayKnow(token) { return try await resolve(signed: token) }
    guard let hash = CredentialHash(of: token) else { throw CommonFailure.callerUnproven }
    if let staff = directory.staff(hash) {
      guard clock.now < staff.expiresAt else { throw GatewayFailure.credentialExpired }
      return Proven(caller: staff.caller, endsAt: staff.expiresAt.microseconds)
    }
    guard let accounts, Secret.isOne(token, .session) else {
      throw CommonFailure.callerUnproven
    }
    return try await resolve(session: hash, in: accounts)
  }

  private func find(
    _ hash: CredentialHash, _ kind: CredentialKind, in accounts: AccountDirectory
  ) async throws -> AccountEntry? {
    try await deadline.bounding { try await accounts.find(hash, kind) }
  }

  private func resolve(
    session hash: CredentialHash, in accounts: AccountDirectory
  ) async throws -> Proven {
    let now = clock.microseconds
    var entry = accounts.use(hash, at: now)
    if entry == nil {
      entry = try await find(hash, .session, in: accounts)
      if let used = accounts.use(hash, at: now) { entry = used }
    }
    guard let entry else { throw CommonFailure.callerUnproven }
    guard entry.endsAt > now else { throw GatewayFailure.credentialExpired }
    return Proven(
      caller: entry.caller, held: .account(hash, .session, entry), grant: entry.grant)
  }
}
