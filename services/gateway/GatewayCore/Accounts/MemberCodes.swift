import Foundation
public import Logging
import ServiceKit
import Storage

/// Sends one-time codes to phones: by a provider of text messages, or by the log.
public protocol MemberCodeSender: Sendable {
  /// - Parameters:
  ///   - code: Six digits.
  ///   - phone: The eleven digits of a mobile number of the mainland.
  func send(_ code: String, to phone: String) async throws
}

/// Writes codes to the log: for development only.
public struct LoggedMemberCodes: MemberCodeSender {
  private let logger: Logger

  public init(logger: Logger) { self.logger = logger }

  public func send(_ code: String, to phone: String) async {
    logger.notice("member code", metadata: ["phone": "*\(phone.suffix(4))", "code": "\(code)"])
  }
}

/// A mobile number as the gateway counts codes by.
enum MemberPhone {
  /// The eleven digits; nil where the text is no mobile number of the mainland. yijia-members
  /// checks the rest.
  static func digits(_ text: String) -> String? {
    guard text.utf8.count <= 64 else { return nil }
    var digits = text.precomposedStringWithCompatibilityMapping.filter { !" -+".contains($0) }
    if digits.utf8.count == 13, digits.hasPrefix("86") { digits.removeFirst(2) }
    guard digits.wholeMatch(of: /1[3-9][0-9]{9}/) != nil else { return nil }
    return digits
  }
}

/// What a phone's code is, and how often it was asked for.
struct StoredMemberCode: Sendable, Hashable {
  /// How long a code holds: a message may be late.
  static let lifetimeSeconds: Int64 = 300
  /// Between two codes.
  static let pauseSeconds: Int64 = 60
  /// Codes in a window that one address may ask for.
  static let sendsMax: Int64 = 5
  /// Codes in a window, whoever asks: a phone is not to be flooded, and six digits are not to be
  /// guessed; but one who knows the number is not to keep its owner from signing in.
  static let sendsOfAllMax: Int64 = 20
  static let windowSeconds: Int64 = 86_400
  /// Guesses at one code: one in 200,000 is right by chance.
  static let guessesMax: Int64 = 5

  /// Of phone and code; empty once it was good.
  var hash: [UInt8]
  var sends: Int64
  var guesses: Int64
  /// Microseconds since 1970.
  var sentAt: Int64
  var windowAt: Int64

  /// Whether a guess is looked at.
  func isOpen(at now: Int64) -> Bool {
    !hash.isEmpty && guesses < Self.guessesMax && now < sentAt + Self.lifetimeSeconds * 1_000_000
  }

  /// As it is when another code is sent.
  ///
  /// - Throws: ``AccountFailure/codeLimit(_:)`` where it is too soon.
  static func next(
    after old: StoredMemberCode?, hash: [UInt8], sendsMax: Int64, at now: Int64
  ) throws(AccountFailure) -> StoredMemberCode {
    guard let old, now < old.windowAt + windowSeconds * 1_000_000 else {
      return StoredMemberCode(hash: hash, sends: 1, guesses: 0, sentAt: now, windowAt: now)
    }
    let pause = old.sentAt + pauseSeconds * 1_000_000
    let wait = old.sends < sendsMax ? pause : old.windowAt + windowSeconds * 1_000_000
    guard wait <= now else { throw .codeLimit(.microseconds(wait - now)) }
    return StoredMemberCode(
      hash: hash, sends: old.sends + 1, guesses: 0, sentAt: now, windowAt: old.windowAt)
  }
}

/// The SQL of members' codes, by the keyed hash of the phone; and, without a code, of what one
/// address asked for, by the keyed hash of both.
enum MemberCodeStore {
  static func byPhone(_ phone: [UInt8]) -> Query<StoredMemberCode?> {
    .first(
      "SELECT hash, sends, guesses, sent_at, window_at FROM member_code WHERE phone = ?1", [phone]
    ) { row in
      StoredMemberCode(
        hash: try row.blob("hash"), sends: try row.integer("sends"),
        guesses: try row.integer("guesses"), sentAt: try row.integer("sent_at"),
        windowAt: try row.integer("window_at"))
    }
  }

  /// Stores what became of a code that was read.
  static func put(
    _ code: StoredMemberCode, after old: StoredMemberCode?, of phone: [UInt8],
    in commit: inout Commit
  ) {
    guard let old else {
      commit.run(
        """
        INSERT INTO member_code (phone, hash, sends, guesses, sent_at, window_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (phone) DO NOTHING
        """, [phone, code.hash, code.sends, code.guesses, code.sentAt, code.windowAt],
        expects: .exactly(1))
      return
    }
    commit.run(
      """
      UPDATE member_code SET hash = ?2, sends = ?3, guesses = ?4, sent_at = ?5, window_at = ?6
      WHERE phone = ?1 AND hash = ?7 AND guesses = ?8 AND sent_at = ?9
      """,
      [
        phone, code.hash, code.sends, code.guesses, code.sentAt, code.windowAt, old.hash,
        old.guesses, old.sentAt,
      ], expects: .exactly(1))
  }

  /// Forgets what one address asked for.
  static func forget(_ key: [UInt8], in commit: inout Commit) {
    commit.run("DELETE FROM member_code WHERE phone = ?1", [key])
  }

  /// Forgets what counts no more.
  static func forgetOld(at now: Int64, in commit: inout Commit) {
    commit.run(
      "DELETE FROM member_code WHERE window_at < ?1",
      [now - StoredMemberCode.windowSeconds * 1_000_000])
  }
}
