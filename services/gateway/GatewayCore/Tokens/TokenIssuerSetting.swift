import Foundation
import ServiceKit

/// An issuer whose signed tokens (JWT, RFC 7519) authenticate callers.
public struct TokenIssuerSetting: Codable, Sendable, Hashable {
  /// Required value of the claim `iss`.
  public var issuer: String
  /// Value that the claim `aud` must contain.
  public var audience: String
  /// File with the issuer's public keys: a JWKS (RFC 7517), or PEM.
  public var keysFile: String
  /// URL from which the keys are downloaded into that file; empty where something else maintains
  /// it.
  public var keysURL: String
  /// File with the authorities to trust for the download; empty for the system's.
  public var keysAuthorityFile: String
  /// Accepted signature algorithms: RS256 … PS512, ES256 …, EdDSA; none is symmetric.
  public var algorithms: [String]
  /// Tolerated difference of the issuer's clock, in seconds.
  public var clockSkewSeconds: Int
  /// The claim that identifies the caller.
  public var subjectClaim: String
  /// partner, staff or member: the claim is the identifier of such an account; empty where only
  /// ``subjects`` are accepted.
  public var subjectKind: String
  /// Accounts of other values of that claim.
  public var subjects: [TokenSubjectSetting]
  /// The claim that states the scopes, as one text or a list (RFC 8693, 4.2).
  public var scopeClaim: String
  /// Methods granted by each scope; empty: a token grants all that its caller may call.
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

  /// Fields other than `issuer`, `audience`, `keys_file` and `algorithms` are optional.
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

/// Maps a token's subject to a partner or a staff member, of the configuration or the store.
public struct TokenSubjectSetting: Codable, Sendable, Hashable {
  /// The value of the claim.
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

  /// The account; nil unless exactly one is stated, with a valid identifier.
  var account: NamedAccount? {
    if staff.isEmpty { return NamedAccount(kind: "partner", id: partner) }
    return partner.isEmpty ? NamedAccount(kind: "staff", id: staff) : nil
  }
}

/// The methods that a scope grants.
public struct TokenScopeSetting: Codable, Sendable, Hashable {
  /// Name of the scope in the claim.
  public var scope: String
  /// Paths of the methods.
  public var methods: [String]

  public init(scope: String, methods: [String]) {
    self.scope = scope
    self.methods = methods
  }
}

extension TokenIssuerSetting {
  /// Upper bound of the tolerated clock difference, in seconds.
  private static let clockSkewMax = 300

  /// Returns what is wrong with the setting.
  ///
  /// - Parameter knows: Whether the path names a method.
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

  /// Whether nobody in between could read or substitute what is fetched from or sent to a URL.
  static func isTrustworthy(_ url: String) -> Bool {
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
