import Foundation
import Storage
import Testing

@Suite("Sealed fields")
struct CipherTests {
  let keyring = Keyring.generate(at: now)

  @Test("a sealed value can be opened in its own place only")
  func place() throws {
    let cipher = FieldCipher(keyring)
    let sealed = try cipher.seal("张三", table: "member", column: "name", row: "1")
    #expect(sealed.count == "张三".utf8.count + FieldCipher.overheadBytes)
    #expect(try cipher.openText(sealed, table: "member", column: "name", row: "1") == "张三")
    #expect(
      try cipher.seal("张三", table: "member", column: "name", row: "1") != sealed,
      "equal values don't look equal")
    for (table, column, row) in [
      ("members", "name", "1"), ("member", "phone", "1"), ("member", "name", "2"),
      ("membe", "rname", "1"),
    ] {
      #expect(throws: StorageError.sealBroken) {
        try cipher.open(sealed, table: table, column: column, row: row)
      }
    }
  }

  @Test("a change of any byte is detected")
  func altered() throws {
    let cipher = FieldCipher(keyring)
    let sealed = try cipher.seal([1, 2, 3], table: "t", column: "c", row: "r")
    for index in sealed.indices {
      var altered = sealed
      altered[index] ^= 1
      #expect(throws: StorageError.self) {
        try cipher.open(altered, table: "t", column: "c", row: "r")
      }
    }
    for count in 0..<sealed.count {
      #expect(throws: StorageError.sealBroken) {
        try cipher.open(Array(sealed[..<count]), table: "t", column: "c", row: "r")
      }
    }
  }

  @Test("after a rotation the old key decrypts and the new one encrypts")
  func rotation() throws {
    let old = FieldCipher(keyring)
    let sealed = try old.seal([7], table: "t", column: "c", row: "r")
    let both = FieldCipher(keyring.adding(at: now))
    #expect(try both.open(sealed, table: "t", column: "c", row: "r") == [7])
    #expect(try both.isOutdated(sealed))
    let anew = try both.seal([7], table: "t", column: "c", row: "r")
    #expect(try !both.isOutdated(anew))
    #expect(throws: StorageError.unknownKey(2)) {
      try old.open(anew, table: "t", column: "c", row: "r")
    }
    let other = FieldCipher(Keyring.generate(at: now))
    #expect(throws: StorageError.sealBroken) {
      try other.open(sealed, table: "t", column: "c", row: "r")
    }
  }

  @Test("a person's data are decrypted with the person's key only, and not after its erasure")
  func person() throws {
    let cipher = FieldCipher(keyring)
    let (key, wrapped) = try cipher.newPersonKey(person: "1")
    let sealed = try key.seal("张三", table: "member", column: "name")
    let again = try cipher.personKey(wrapped, person: "1")
    #expect(try again.openText(sealed, table: "member", column: "name") == "张三")
    #expect(throws: StorageError.sealBroken) { try cipher.personKey(wrapped, person: "2") }
    // Erased: the wrapped key is gone, and neither a new key nor the service's cipher decrypts.
    let fresh = try cipher.newPersonKey(person: "1").key
    #expect(throws: StorageError.sealBroken) {
      try fresh.open(sealed, table: "member", column: "name")
    }
    #expect(throws: StorageError.sealBroken) {
      try cipher.open(sealed, table: "member", column: "name", row: "1")
    }
    let rotated = FieldCipher(keyring.adding(at: now))
    let rewrapped = try rotated.rewrapped(wrapped, person: "1")
    #expect(try !rotated.isOutdated(rewrapped))
    let later = try rotated.personKey(rewrapped, person: "1")
    #expect(try later.openText(sealed, table: "member", column: "name") == "张三")
  }
}

@Suite("Keyed hashes")
struct KeyedHashTests {
  @Test("an identifier and its SHA-256 have the same hash")
  func digests() throws {
    let hash = KeyedHash(Keyring.generate(at: now), purpose: "resident id")
    // SHA-256 of "abc" (FIPS 180-2, appendix B.1).
    let digest: [UInt8] = [
      0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22,
      0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00,
      0x15, 0xad,
    ]
    #expect(hash.hash(sha256: digest) == hash.hash("abc"))
    #expect(hash.hash("abc").count == KeyedHash.digestBytes)
    #expect(hash.hash(sha256: Array(digest.dropLast())) == nil)
    #expect(hash.candidates("abc").count == 1)
  }

  @Test("a hash is HMAC-SHA256 under a key of HKDF-SHA256, as computed by other programs")
  func standard() throws {
    let keyring = try Keyring(
      text: "1 2026-11-21T06:46:51Z AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")
    // Python: hkdf(ikm=0…31, info="yijia hash resident id", 32), hmac of sha256 of the text.
    let expected = "86b893dab480a8b3fbf48dbc4b73d17d74931477c81ad2ed20f4edc6fd30a7db"
    let hash = KeyedHash(keyring, purpose: "resident id").hash("110101199003070011")
    #expect(
      hash.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() == expected)
  }

  @Test("after a rotation the stored hash is still a candidate, after another one it is not")
  func rotation() {
    let keyring = Keyring.generate(at: now)
    let stored = KeyedHash(keyring, purpose: "id").hash("a")
    let once = KeyedHash(keyring.adding(at: now), purpose: "id")
    #expect(once.hash("a") != stored)
    #expect(once.candidates("a") == [once.hash("a"), stored])
    let twice = KeyedHash(keyring.adding(at: now).adding(at: now), purpose: "id")
    #expect(!twice.candidates("a").contains(stored))
  }

  @Test("keys and purposes give different hashes")
  func separation() {
    let keyring = Keyring.generate(at: now)
    let hash = KeyedHash(keyring, purpose: "id").hash("a")
    #expect(KeyedHash(keyring, purpose: "phone").hash("a") != hash)
    #expect(KeyedHash(Keyring.generate(at: now), purpose: "id").hash("a") != hash)
  }
}

@Suite("Page tokens")
struct PageTokenTests {
  let keyring = Keyring.generate(at: now)
  let scope = ["ListMembers", "partners/a", "state = active"]

  @Test("a token returns its cursor, in URL-safe characters")
  func roundTrip() throws {
    let codec = PageTokenCodec(keyring)
    let cursor: [SQLValue] = [
      .null, .integer(.min), .integer(-1), .real(-0.0), .real(.pi), .text("张三\0"), .text(""),
      .blob([0, 255]), .blob([]),
    ]
    for count in 0...cursor.count {
      let part = Array(cursor[..<count])
      let token = try codec.encode(part, scope: scope)
      #expect(
        token.utf8.allSatisfy {
          "-_".utf8.contains($0) || Character(.init($0)).isLetter || Character(.init($0)).isNumber
        })
      #expect(try codec.decode(token, scope: scope) == part)
    }
    #expect(try codec.decode("", scope: scope) == nil)
    let rotated = PageTokenCodec(keyring.adding(at: now))
    let token = try codec.encode(["a"], scope: scope)
    #expect(try rotated.decode(token, scope: scope) == [.text("a")])
    #expect(try codec.encode(["a"], scope: scope) != token, "equal cursors look different")
  }

  @Test("a token of another list, filter, caller or key is refused")
  func foreign() throws {
    let codec = PageTokenCodec(keyring)
    let token = try codec.encode(["a", 1], scope: scope)
    let scopes = [
      ["ListCodes", scope[1], scope[2]], [scope[0], "partners/b", scope[2]],
      [scope[0], scope[1], ""], [scope[0] + scope[1], scope[2]], [],
    ]
    for other in scopes {
      #expect(throws: StorageError.invalidPageToken) { try codec.decode(token, scope: other) }
    }
    #expect(throws: StorageError.invalidPageToken) {
      try PageTokenCodec(Keyring.generate(at: now)).decode(token, scope: scope)
    }
  }

  @Test("a changed or invented token is refused")
  func altered() throws {
    let codec = PageTokenCodec(keyring)
    let token = try codec.encode(["a", 1], scope: scope)
    for index in token.indices.dropLast() {
      var altered = token
      altered.replaceSubrange(index...index, with: token[index] == "A" ? "B" : "A")
      #expect(throws: StorageError.invalidPageToken) { try codec.decode(altered, scope: scope) }
    }
    let invented = [
      "x", "====", token + "=", token + "\n", " " + token, "é", String(token.dropLast(3)),
      String(repeating: "A", count: Limits.pageTokenBytes + 4),
    ]
    for text in invented {
      #expect(throws: StorageError.invalidPageToken) { try codec.decode(text, scope: scope) }
    }
  }
}
