import Crypto
import Foundation
import ServiceKit

@testable import GatewayCore

/// An issuer of signed tokens whose public keys are in `Tests/Fixtures`.
enum TestIssuer {
  static let name = "https://id.example"
  /// The key `ed` of `issuer.jwks`, for tests only.
  static let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: Array(1...32))
  static let jwks = fixture("issuer.jwks")
  static let partner = String(repeating: "a", count: 32)
  static let staff = String(repeating: "0", count: 32)
  static let member = String(repeating: "7", count: 32)

  static func fixture(_ name: String) -> String {
    URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Fixtures/\(name)").standardized.path
  }

  /// An issuer setting that names the test gateway's partner, its administrator, and any member.
  static func setting(
    keysFile: String = jwks, algorithms: [String] = ["EdDSA"], kind: String = "member",
    scopes: [TokenScopeSetting] = []
  ) -> TokenIssuerSetting {
    TokenIssuerSetting(
      issuer: name, audience: "yijia", keysFile: keysFile, algorithms: algorithms,
      subjectKind: kind,
      subjects: [
        TokenSubjectSetting(subject: "backend", partner: partner),
        TokenSubjectSetting(subject: "alice", staff: staff),
      ], scopes: scopes)
  }

  static func base64(_ bytes: some Sequence<UInt8>) -> String {
    Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
      .replacing("=", with: "")
  }

  /// Returns a token of a subject.
  static func token(of subject: String) -> String {
    (try? token(["sub": #""\#(subject)""#])) ?? ""
  }

  /// Returns a token for ten minutes from the test gateway's clock on.
  ///
  /// - Parameter claims: JSON of each claim that differs; an empty text omits the claim.
  static func token(
    header: String = #"{"alg": "EdDSA", "kid": "ed", "typ": "JWT"}"#,
    _ claims: [String: String] = [:], by other: Curve25519.Signing.PrivateKey? = nil
  ) throws -> String {
    let seconds = TestGateway.clock.microseconds / 1_000_000
    var all = [
      "iss": #""\#(name)""#, "sub": #""backend""#, "aud": #""yijia""#, "exp": "\(seconds + 600)",
    ]
    all.merge(claims) { $1 }
    let payload = all.filter { !$0.value.isEmpty }.map { #""\#($0.key)": \#($0.value)"# }
    let signed = base64(header.utf8) + "." + base64("{\(payload.joined(separator: ","))}".utf8)
    let signature = try (other ?? key)?.signature(for: Data(signed.utf8))
    return "\(signed).\(base64(signature ?? Data()))"
  }
}
