import Foundation
import ServiceKit

/// Whose signed tokens (JWT, RFC 7519) prove callers.
public struct TokenIssuerSetting: Codable, Sendable, Hashable {
  /// The claim `iss`.
  public var issuer: String
  /// What the claim `aud` must hold.
  public var audience: String
  /// File with the issuer's public keys: a JWKS (RFC 7517), or PEM.
  public var keysFile: String
  /// Where the issuer publishes them, to be kept in that file; empty where somebody else does that.
  public var keysURL: String
  /// File with the authorities to trust there; empty for the system's.
  public var keysAuthorityFile: String
  /// What the tokens may be signed with: RS256 … PS512, ES256 …, EdDSA; none is symmetric.
  public var algorithms: [String]
  /// How far the issuer's clock may be off, in seconds.
  public var clockSkewSeconds: Int
  /// The claim that says who calls.
  public var subjectClaim: String
  /// partner, staff or member: that claim is the identifier of such a caller; empty where
  /// ``subjects`` is all.
  public var subjectKind: String
  /// Whom other values of that claim name.
  public var subjects: [TokenSubjectSetting]
  /// The claim with the scopes, as one text or a list (RFC 8693, 4.2).
  public var scopeClaim: String
  /// What each scope lets call; empty: tokens are good for all that their caller may call.
  public var scopes: [TokenScopeSetting]

  enum CodingKeys: String, CodingKey {
    case issuer, audience, algorithms, subjects, scopes
    case keysFile = "keys_file"
    case keysURL = "keys_url"
    case keysAuthorityFile = "keys_authority_file"
    case clockSkewSeconds = "clock_skew_seconds"
    case subjectClaim = "subject_claim"
    case subjectKind = "subject_kind"
    case scopeClaim = "scope_claim"
  }

  public init(
    issuer: String, audience: String, keysFile: String, keysURL: String = "",
    keysAuthorityFile: String = "", algorithms: [String], clockSkewSeconds: Int = 30,
    subjectClaim: String = "sub", subjectKind: String = "", subjects: [TokenSubjectSetting] = [],
    scopeClaim: String = "scope", scopes: [TokenScopeSetting] = []
  ) {
    self.issuer = issuer
    self.audience = audience
    self.keysFile = keysFile
    self.keysURL = keysURL
    self.keysAuthorityFile = keysAuthorityFile
    self.algorithms = algorithms
    self.clockSkewSeconds = clockSkewSeconds
    self.subjectClaim = subjectClaim
    self.subjectKind = subjectKind
    self.subjects = subjects
    self.scopeClaim = scopeClaim
    self.scopes = scopes
  }

  /// All but `issuer`, `audience`, `keys_file` and `algorithms` may be left out.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    issuer = try values.decode(String.self, forKey: .issuer)
    audience = try values.decode(String.self, forKey: .audience)
    keysFile = try values.decode(String.self, forKey: .keysFile)
    keysURL = try values.decodeIfPresent(String.self, forKey: .keysURL) ?? ""
    keysAuthorityFile = try values.decodeIfPresent(String.self, forKey: .keysAuthorityFile) ?? ""
    algorithms = try values.decode([String].self, forKey: .algorithms)
    clockSkewSeconds = try values.decodeIfPresent(Int.self, forKey: .clockSkewSeconds) ?? 30
    subjectClaim = try values.decodeIfPresent(String.self, forKey: .subjectClaim) ?? "sub"
    subjectKind = try values.decodeIfPresent(String.self, forKey: .subjectKind) ?? ""
    subjects = try values.decodeIfPresent([TokenSubjectSetting].self, forKey: .subjects) ?? []
    scopeClaim = try values.decodeIfPresent(String.self, forKey: .scopeClaim) ?? "scope"
    scopes = try values.decodeIfPresent([TokenScopeSetting].self, forKey: .scopes) ?? []
  }
}

/// Whom a token's subject names: a partner or a member of staff, of the configuration or the store.
public struct TokenSubjectSetting: Codable, Sendable, Hashable {
  /// The claim's value.
  public var subject: String
  /// Identifier of a partner; empty for none.
  public var partner: String
  /// Identifier of a member of staff; empty for none.
  public var staff: String

  enum CodingKeys: String, CodingKey { case subject, partner, staff }

  public init(subject: String, partner: String = "", staff: String = "") {
    self.subject = subject
    self.partner = partner
    self.staff = staff
  }

  /// One of `partner` and `staff` is left out.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    subject = try values.decode(String.self, forKey: .subject)
    partner = try values.decodeIfPresent(String.self, forKey: .partner) ?? ""
    staff = try values.decodeIfPresent(String.self, forKey: .staff) ?? ""
  }

  /// Nil unless it is exactly one.
  var account: NamedAccount? {
    if staff.isEmpty { return NamedAccount(kind: "partner", id: partner) }
    return partner.isEmpty ? NamedAccount(kind: "staff", id: staff) : nil
  }
}

/// What a scope of a token lets call.
public struct TokenScopeSetting: Codable, Sendable, Hashable {
  /// As the claim says it.
  public var scope: String
  /// Paths of methods.
  public var methods: [String]

  public init(scope: String, methods: [String]) {
    self.scope = scope
    self.methods = methods
  }
}

extension TokenIssuerSetting {
  /// Longest time that an issuer's clock may be off.
  private static let clockSkewMax = 300

  /// What is wrong with it.
  ///
  /// - Parameter knows: Whether there is a method of that path.
  func faults(at field: String, knows: (String) -> Bool) -> [String] {
    var wrong: [String] = []
    for (name, value) in [
      ("issuer", issuer), ("audience", audience), ("keys_file", keysFile),
      ("subject_claim", subjectClaim), ("scope_claim", scopeClaim),
    ] where value.isEmpty {
      wrong.append("\(field).\(name): not empty")
    }
    if !keysURL.isEmpty, !Self.isTrustworthy(keysURL) {
      wrong.append("\(field).keys_url: https, or http of a loopback address")
    }
    if algorithms.isEmpty || !IssuerKey.algorithms.isSuperset(of: algorithms) {
      let known = IssuerKey.algorithms.sorted().joined(separator: ", ")
      wrong.append("\(field).algorithms: at least one of \(known)")
    }
    if !(0...Self.clockSkewMax).contains(clockSkewSeconds) {
      wrong.append("\(field).clock_skew_seconds: 0 to \(Self.clockSkewMax)")
    }
    if !["", "partner", "staff", "member"].contains(subjectKind) {
      wrong.append("\(field).subject_kind: partner, staff or member, or empty")
    }
    if subjectKind.isEmpty, subjects.isEmpty {
      wrong.append("\(field).subjects: at least one, or a subject_kind")
    }
    return wrong + subjectFaults(at: field) + scopeFaults(at: field, knows: knows)
  }

  /// Whether nobody in between can put keys of his own there.
  private static func isTrustworthy(_ url: String) -> Bool {
    guard let parts = URLComponents(string: url), parts.user == nil, parts.password == nil,
      let host = parts.host, !host.isEmpty
    else { return false }
    switch parts.scheme {
    case "https": return true
    case "http": return ["127.0.0.1", "[::1]", "localhost"].contains(host)
    default: return false
    }
  }

  private func subjectFaults(at field: String) -> [String] {
    var wrong: [String] = []
    for (index, subject) in subjects.enumerated() {
      let here = "\(field).subjects[\(index)]"
      if subject.subject.isEmpty { wrong.append("\(here).subject: not empty") }
      if subject.account == nil {
        wrong.append("\(here): either partner or staff, 32 lower-case hex digits")
      }
      if subjects[..<index].contains(where: { $0.subject == subject.subject }) {
        wrong.append("\(here).subject: stated twice")
      }
    }
    return wrong
  }

  private func scopeFaults(at field: String, knows: (String) -> Bool) -> [String] {
    var wrong: [String] = []
    for (index, scope) in scopes.enumerated() {
      let here = "\(field).scopes[\(index)]"
      if scope.scope.isEmpty || scope.scope.contains(" ") {
        wrong.append("\(here).scope: a word without spaces")
      }
      if scopes[..<index].contains(where: { $0.scope == scope.scope }) {
        wrong.append("\(here).scope: stated twice")
      }
      for path in scope.methods where !knows(path) {
        wrong.append("\(here).methods: there is no \(path)")
      }
    }
    return wrong
  }
}
