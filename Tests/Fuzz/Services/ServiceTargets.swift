import Crypto
import Foundation
public import FuzzCore
import GoogleProtobuf
import Protobuf
import ServiceKit
import Storage
import YijiaTypeV1

extension FuzzTarget {
  /// The targets of code shared by the services, in the order of the report.
  public static let services: [FuzzTarget] = [
    .identifiers, .pageTokens, .callerToken, .configuration,
  ]

  /// Values that callers put in fields and headers: names, request ids, languages, times.
  static let identifiers = FuzzTarget(name: "identifiers") { bytes in
    let text = String(decoding: bytes, as: UTF8.self)
    _ = Language(acceptLanguage: text)
    if let id = try? RequestID.parse(text) {
      try require(try RequestID.parse(id) == id, "a canonical request id is its own")
    }
    if let id = try? ResourceName.parse(text, collection: "members", field: "name") {
      try require("members/\(id)" == text, "a name is its collection and identifier")
    }
    var input = InputReader(bytes)
    var time = Timestamp()
    time.seconds = input.integer(Int64.self)
    time.nanos = input.integer(Int32.self)
    if let instant = time.microseconds {
      try require(Timestamp(microseconds: instant).microseconds == instant, "an instant is kept")
      let day = ChinaDate(microseconds: instant)
      let start = day.startMicroseconds
      try require(
        start <= instant && instant - start < 86_400_000_000, "an instant lies in its day")
    }
  }

  private static let pageKeys = try? Keyring(
    text: "1 2026-11-21T06:46:51Z \(Data(repeating: 7, count: 32).base64EncodedString())\n")

  /// Page tokens: foreign ones are refused, and the values of own ones are returned unchanged.
  static let pageTokens = FuzzTarget(name: "page-tokens") { bytes in
    guard let pageKeys else { throw FuzzFinding("the test's keyring reads") }
    // Most of an input is used as the decrypted content, since valid ciphertext cannot be guessed.
    if let values = try? ValueCoding.decode(bytes) {
      let encoded = ValueCoding.encode(values)
      try require(encoded == bytes, "values are coded in one way")
    }
    let codec = PageTokenCodec(pageKeys)
    let text = String(decoding: bytes, as: UTF8.self)
    guard let cursor = try? codec.decode(text, scope: ["list"]) else { return }
    throw FuzzFinding("a token from outside opened: \(cursor)")
  }

  private static let tokenSeed = [UInt8](repeating: 9, count: 32)
  private static let signing = try? Curve25519.Signing.PrivateKey(rawRepresentation: tokenSeed)
  private static let verifier = signing.flatMap { key in
    try? CallerTokenVerifier(
      audience: "members", publicKeys: ["k": [UInt8](key.publicKey.rawRepresentation)],
      clock: Clock { Date(timeIntervalSince1970: 1_800_000_000) })
  }

  /// Caller tokens: accepted only if signed by the gateway, in their time and for their audience.
  static let callerToken = FuzzTarget(name: "caller-token") { bytes in
    guard let signing, let verifier else {
      throw FuzzFinding("the test's keys read")
    }
    var input = InputReader(bytes)
    guard input.byte() == 0xff else {
      let isRefused = (try? verifier.caller(of: bytes)) == nil
      return try require(isRefused, "an unsigned token proves nothing")
    }
    let content = input.rest()
    let token = try? CallerToken(wireBytes: content)
    let left = (token?.expireTime?.seconds ?? 0) &- 1_800_000_000
    let counts = token?.audience == "members" && (0...65).contains(left)
    // Signing and verifying cost a thousand times as much as the rest: every token to be accepted
    // is signed, and one in sixteen of those to be refused.
    guard counts || content.reduce(0, &+) & 15 == 0 else { return }
    var envelope = SignedCallerToken()
    envelope.keyID = "k"
    envelope.token = content
    envelope.signature = [UInt8](try signing.signature(for: content))
    let caller = try? verifier.caller(of: try envelope.wireBytes())
    try require((caller != nil) == counts, "what is signed counts in its time, for its audience")
    guard let caller, let token else { return }
    try require(
      caller.subject == token.subject && caller.kind == token.kind, "it is the signed one")
  }

  /// Configurations: refused with a message or read, and read again from what was written.
  static let configuration = FuzzTarget(name: "configuration") { bytes in
    let defaults = ServiceConfiguration(name: "members", port: 7101)
    let text = String(decoding: bytes, as: UTF8.self)
    do {
      let read = try parseConfiguration(
        ServiceConfiguration.self, defaults: defaults, text: text, file: "f")
      try? read.validate()
      let json = String(decoding: try JSONEncoder().encode(read), as: UTF8.self)
      let again = try unfailing("JSON of it reads") {
        try parseConfiguration(
          ServiceConfiguration.self, defaults: defaults, text: json, file: "g")
      }
      try require(again == read, "JSON of it is the same")
    } catch let error as ConfigurationError {
      try require(error.description.hasPrefix("f"), "a refusal names the file")
    }
  }
}
