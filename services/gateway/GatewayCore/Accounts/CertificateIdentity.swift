import Crypto
import RPC

/// An identity by which a certificate authenticates a partner, as text: `sha256:` and the
/// fingerprint, or a subject alternative name, `URI:…` or `DNS:…`.
struct CertificateIdentity: Sendable, Hashable {
  /// Longest text, in bytes.
  static let lengthMax = 500
  /// Subject alternative names that are considered: usual are one or two, and each may cost a
  /// look-up.
  private static let namesMax = 4
  /// Names of the suite's own workloads, which cannot be partners.
  private static let workloads = "URI:spiffe://yijia/"

  let text: String
  /// The look-up key: the fingerprint, or SHA-256 of the text.
  let hash: CredentialHash

  /// Returns nil where the text is not a valid identity.
  init?(_ text: String) {
    guard text.utf8.count <= Self.lengthMax, let colon = text.firstIndex(of: ":") else {
      return nil
    }
    let value = text[text.index(after: colon)...]
    switch text[..<colon] {
    case "sha256":
      guard let hash = CredentialHash(hex: String(value)) else { return nil }
      self.hash = hash
    case "URI":
      guard value.contains(":"), value.utf8.allSatisfy({ (0x21...0x7e).contains($0) }),
        !text.hasPrefix(Self.workloads)
      else { return nil }
      hash = Self.hash(of: text)
    case "DNS":
      guard value.wholeMatch(of: /[a-z0-9]([a-z0-9.\-]*[a-z0-9])?/) != nil else { return nil }
      hash = Self.hash(of: text)
    default: return nil
    }
    self.text = text
  }

  private static func hash(of text: String) -> CredentialHash {
    CredentialHash(sha256Of: Array(text.utf8))
  }

  /// Returns the hashes of all identities of a certificate: its fingerprint first, then its names.
  static func hashes(of certificate: PeerCertificate) -> [CredentialHash] {
    let names =
      certificate.uris.map { "URI:\($0)" } + certificate.dnsNames.map { "DNS:\($0.lowercased())" }
    return [CredentialHash(sha256Of: certificate.der)]
      + names.prefix(namesMax).filter { $0.utf8.count <= lengthMax && !$0.hasPrefix(workloads) }
      .map { hash(of: $0) }
  }
}
