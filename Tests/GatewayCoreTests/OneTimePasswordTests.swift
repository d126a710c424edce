import Testing

@testable import GatewayCore

@Suite("One-time passwords")
struct OneTimePasswordTests {
  private static let rfc = OneTimePassword(secret: Array("12345678901234567890".utf8))

  @Test(
    "the vectors of RFC 6238, appendix B (SHA-1, eight digits)",
    arguments: [
      (59, "94287082"), (1_111_111_109, "07081804"), (1_111_111_111, "14050471"),
      (1_234_567_890, "89005924"), (2_000_000_000, "69279037"), (20_000_000_000, "65353130"),
    ] as [(Int64, String)])
  func totp(_ seconds: Int64, _ code: String) {
    #expect(Self.rfc.code(step: seconds / 30, digits: 8) == code)
    #expect(Self.rfc.code(step: seconds / 30) == String(code.suffix(6)))
  }

  @Test("the vectors of RFC 4226, appendix D")
  func hotp() {
    let codes = [
      "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
      "520489",
    ]
    #expect((0..<10).map { Self.rfc.code(step: $0) } == codes)
  }

  @Test("a code is accepted one step to either side, and once")
  func window() {
    let code = Self.rfc.code(step: 1_000)
    for (seconds, isGood) in [
      (29_969, false), (29_970, true), (30_000, true), (30_059, true), (30_060, false),
    ] as [(Int64, Bool)] {
      #expect((Self.rfc.step(of: code, at: seconds, after: 0) == 1_000) == isGood, "\(seconds)")
    }
    #expect(Self.rfc.step(of: code, at: 30_000, after: 1_000) == nil)
    #expect(Self.rfc.step(of: code, at: 30_000, after: 999) == 1_000)
    for text in ["", "00000", code + "0", code + "\u{0}", " " + code, "١٢٣٤٥٦"] {
      #expect(Self.rfc.step(of: text, at: 30_000, after: 0) == nil)
    }
  }

  @Test("the vectors of RFC 4648 for base32 hold without padding")
  func base32() {
    for (text, encoded) in [
      ("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"),
      ("fooba", "MZXW6YTB"), ("foobar", "MZXW6YTBOI"),
    ] {
      #expect(Base32.encode(Array(text.utf8)) == encoded)
    }
  }
}

@Suite("Passwords as they are stored")
struct PasswordHashTests {
  private static let cheap = PasswordHash.Cost(logarithm: 4, parallelism: 1)

  @Test("a password matches only itself, in any Unicode composition")
  func matches() throws {
    let hash = try PasswordHash(of: "caf\u{e9} 驿家", salt: [1, 2, 3], cost: Self.cheap)
    let stored = try #require(PasswordHash(text: hash.text))
    #expect(stored == hash)
    #expect(try stored.matches("cafe\u{301} 驿家"))
    for text in ["", "café 驿", "CAFÉ 驿家", "café 驿家 "] {
      #expect(try !stored.matches(text), "\(text)")
    }
    let other = try PasswordHash(of: "café 驿家", salt: [1, 2, 4], cost: Self.cheap)
    #expect(other.text != hash.text)
  }

  @Test("RFC 7914's vector for N 1024, r 8, p 16 has the same first bytes")
  func vector() throws {
    let hash = try PasswordHash(
      of: "password", salt: Array("NaCl".utf8), cost: .init(logarithm: 10, parallelism: 16))
    // fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162
    #expect(hash.text.hasSuffix("$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWI="))
  }

  @Test(
    "malformed hashes are refused",
    arguments: [
      "", "scrypt", "scrypt$4$8$1$AQID$", "scrypt$99$8$1$AQID$AAAA", "scrypt$4$16$1$AQID$AAAA",
      "argon2$4$8$1$AQID$AAAA", "scrypt$-1$8$1$AQID$AAAA", "scrypt$4$8$999999$AQID$AAAA",
      "scrypt$4$8$1$@@$AAAA",
    ])
  func malformed(_ text: String) { #expect(PasswordHash(text: text) == nil) }

  @Test("hashes beyond the queue are refused, and none is lost")
  func bounded() async throws {
    let hasher = PasswordHasher(cost: PasswordHash.Cost(logarithm: 12, parallelism: 1))
    let outcomes = await withTaskGroup(of: String.self) { group in
      for _ in 0..<60 {
        group.addTask {
          do {
            return try await hasher.hash("a password", salt: [1]).text
          } catch {
            return (error as? AccountFailure)?.reason ?? "\(error)"
          }
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    let refused = outcomes.filter { $0 == "HASHING_BUSY" }.count
    #expect(Set(outcomes).subtracting(["HASHING_BUSY"]).count == 1)
    #expect(outcomes.count - refused >= 18)
    #expect(try await hasher.hash("a password", salt: [1]).matches("a password"))
  }

  @Test("the delay doubles up to a minute")
  func delays() {
    #expect(
      (0...12).map { SignInDelay.seconds(failures: $0) } == [
        0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60,
      ])
    #expect(SignInDelay.seconds(failures: .max) == 60)
  }
}
