public import RPC
public import YijiaTypeV1

/// A proven caller.
public struct Caller: Sendable, Hashable {
  /// What kind of caller it is.
  public var kind: CallerKind
  /// Resource name: `partners/{id}`, `kiosks/{id}`, `staff/{id}`, `members/{id}`,
  /// `services/{name}`.
  public var subject: String
  /// Identifier of the organization whose subtree a staff caller may act in; empty for others.
  public var organization: String
  /// Role of a staff caller.
  public var staffRole: StaffRole
  /// Identifier of the point that a kiosk stands at; empty for others.
  public var point: String

  /// Creates a caller. Whoever does so has proven that it is that one.
  public init(
    kind: CallerKind, subject: String, organization: String = "",
    staffRole: StaffRole = .unspecified, point: String = ""
  ) {
    self.kind = kind
    self.subject = subject
    self.organization = organization
    self.staffRole = staffRole
    self.point = point
  }

  /// Name of the calling service: `services/stations` → `stations`; nil for other kinds.
  public var service: String? {
    kind == .service && subject.hasPrefix("services/") ? String(subject.dropFirst(9)) : nil
  }
}

private enum CallerKey: ContextKey {
  typealias Value = Caller
}

extension ServerContext {
  /// The proven caller.
  ///
  /// - Throws: ``CommonFailure/callerUnproven`` where no interceptor has proven one.
  public var caller: Caller {
    get throws {
      guard let caller = self[CallerKey.self] else { throw CommonFailure.callerUnproven }
      return caller
    }
  }

  /// Sets the proven caller: for ``CallerIdentity``, the gateway and tests.
  public func setCaller(_ caller: Caller) { self[CallerKey.self] = caller }

  /// The language that the caller asked for; Chinese by default.
  public var language: Language { Language(acceptLanguage: metadata[text: "accept-language"]) }
}
