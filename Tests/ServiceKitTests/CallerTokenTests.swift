import Foundation
import ServiceKit
import Synchronization
import Testing
import YijiaTypeV1

@Suite("Caller tokens")
struct CallerTokenTests {
  /// A clock that is set by the test.
  final class Hands: Sendable {
    private let seconds = Mutex(1_800_000_000.0)
    func advance(_ by: Double) { seconds.withLock { $0 += by } }
    var clock: Clock { Clock { Date(timeIntervalSince1970: self.seconds.withLock { $0 }) } }
  }

  private static let staff = Caller(
    kind: .staff, subject: "staff/7", organization: "0123456789abcdef0123456789abcdef",
    staffRole: .clerk)

  private struct Pair {
    let hands = Hands()
    let signer: CallerTokenSigner
    let verifier: CallerTokenVerifier

    init(audience: String = "members") throws {
      let keys = TokenKeyFile.generate()
      signer = try CallerTokenSigner(
        keyID: "k1", seed: Self.raw(keys.privateKey), clock: hands.clock)
      verifier = try CallerTokenVerifier(
        audience: audience, publicKeys: ["k1": Self.raw(keys.publicKey)], clock: hands.clock)
    }

    private static func raw(_ text: String) -> [UInt8] {
      [UInt8](Data(base64Encoded: text.trimmingCharacters(in: .newlines)) ?? Data())
    }
  }

  @Test("a token identifies its caller, with organization and role")
  func proves() throws {
    let pair = try Pair()
    let token = try pair.signer.token(for: Self.staff, audience: "members")
    #expect(try pair.verifier.caller(of: token) == Self.staff)
  }

  @Test("a token for another service is refused")
  func audience() throws {
    let pair = try Pair()
    let token = try pair.signer.token(for: Self.staff, audience: "stations")
    #expect(throws: CommonFailure.callerUnproven) { try pair.verifier.caller(of: token) }
  }

  @Test("a token expires after a minute, even if it is cached")
  func expiry() throws {
    let pair = try Pair()
    let token = try pair.signer.token(for: Self.staff, audience: "members")
    _ = try pair.verifier.caller(of: token)
    pair.hands.advance(61)
    #expect(throws: CommonFailure.callerUnproven) { try pair.verifier.caller(of: token) }
  }

  @Test("a token is reused for half a minute, then signed anew")
  func renewal() throws {
    let pair = try Pair()
    let first = try pair.signer.token(for: Self.staff, audience: "members")
    pair.hands.advance(29)
    #expect(try pair.signer.token(for: Self.staff, audience: "members") == first)
    pair.hands.advance(2)
    let second = try pair.signer.token(for: Self.staff, audience: "members")
    #expect(second != first)
    #expect(try pair.verifier.caller(of: second) == Self.staff)
  }

  @Test("a token that is changed, truncated, or signed by another key is refused")
  func forged() throws {
    let pair = try Pair()
    let token = try pair.signer.token(for: Self.staff, audience: "members")
    for index in token.indices {
      var changed = token
      changed[index] ^= 1
      // A change in the envelope's framing may leave the content intact; the caller must be the
      // same then.
      if let caller = try? pair.verifier.caller(of: changed) { #expect(caller == Self.staff) }
    }
    for length in 0..<token.count {
      #expect(throws: CommonFailure.callerUnproven) {
        try pair.verifier.caller(of: Array(token.prefix(length)))
      }
    }
    let other = try Pair().signer.token(for: Self.staff, audience: "members")
    #expect(throws: CommonFailure.callerUnproven) { try pair.verifier.caller(of: other) }
    #expect(throws: CommonFailure.callerUnproven) {
      try pair.verifier.caller(of: [UInt8](repeating: 0xff, count: 1 << 20))
    }
  }
}
