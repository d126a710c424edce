import Foundation
public import Logging
import ServiceKit
import Storage

/// Delivers one-time codes to phones: by the relay of an SMS provider, or to the log.
public protocol MemberCodeSender: Sendable {
  /// Whether the request for a code waits for the delivery and reports a ``MemberCodeUndelivered``;
  /// otherwise the code is sent after the response.
  var isAwaited: Bool { get }

  /// Messages per hour for all phones together; nil for no limit.
  var messagesPerHour: Int? { get }

  /// Sends a code.
  /// - Parameters:
  ///   - code: Six digits.
  ///   - phone: A mobile number of mainland China, eleven digits.
  func send(_ code: String, to phone: String) async throws
}

extension MemberCodeSender {
  public var isAwaited: Bool { false }
  public var messagesPerHour: Int? { nil }
}

/// The error of a code that could not be delivered.
public struct MemberCodeUndelivered: Error, Sendable, Hashable {
  /// How far the delivery came.
  public enum Progress: Sendable, Hashable { case unsent, refused, unknown }

  /// Only after ``Progress/unknown`` may the phone get the code.
  public let progress: Progress
  /// The cause, for operators; without code and phone.
  public let cause: String

  public init(_ progress: Progress, cause: String) {
    self.progress = progress
    self.cause = cause
  }
}

/// Writes codes to the log: for development only.
public struct LoggedMemberCodes: MemberCodeSender {
  private let logger: Logger

  public init(logger: Logger) { self.logger = logger }

  public func send(_ code: String, to phone: String) async {
    logger.notice("member code", metadata: ["phone": "*\(phone.suffix(4))", "code": "\(code)"])
  }
}

/// Normalizes the mobile numbers under which codes are stored and counted.
enum MemberPhone {
  /// Returns the eleven digits; nil where the text is no mobile number of mainland China.
  /// yijia-members validates further.
  static func digits(_ text: String) -> String? {
    guard text.utf8.count <= 64 else { return nil }
    var digits = text.precomposedStringWithCompatibilityMapping.filter { !" -+".contains($0) }
    if digits.utf8.count == 13, digits.hasPrefix("86") { digits.removeFirst(2) }
    guard digits.wholeMatch(of: /1[3-9][0-9]{9}/) != nil else { return nil }
    return digits
  }
}

/// The current code of a phone, and the counters that limit codes and guesses.
struct StoredMemberCode: Sendable, Hashable {
  /// Validity of a code, in seconds; a text message may be late.
  static let lifetimeSeconds: Int64 = 300
  /// Time between two codes, in seconds.
  static let pauseSeconds: Int64 = 60
  /// Codes per window that one source address may request for a phone.
  static let sendsMax: Int64 = 5
  /// Codes per window for a phone, whoever requests them. The limit prevents flooding the phone and
  /// guessing the six digits, but must be high enough that an attacker who knows the number cannot
  /// keep its owner from signing in. With ``guessesOfAllMax`` for each code, the chance of guessing
  /// one of them is below 1 in 1,000 a day, for 200 addresses and 20 messages that warn the owner.
  static let sendsOfAllMax: Int64 = 20
  static let windowSeconds: Int64 = 86_400
  /// Guesses at a code from one source address: the chance of a correct one is 1 in 200,000.
  static let guessesMax: Int64 = 5
  /// Guesses at a code from all addresses together: the chance of a correct one is 1 in 20,000. The
  /// guesses of one address must not use up another's, as everybody who knows the number may guess;
  /// it takes ten addresses to use up a code, and the next one can be requested after a minute.
  static let guessesOfAllMax: Int64 = 50

  /// Keyed hash of phone and code; empty once the code was used. Of an address: the code that its
  /// guesses were at.
  var hash: [UInt8]
  var sends: Int64
  var guesses: Int64
  /// When the code was sent, in microseconds since 1970.
  var sentAt: Int64
  /// Start of the window, in microseconds since 1970.
  var windowAt: Int64

  /// Whether the code may be guessed at.
  func isOpen(at now: Int64) -> Bool {
    !hash.isEmpty && guesses < Self.guessesOfAllMax
      && now < sentAt + Self.lifetimeSeconds * 1_000_000
  }

  /// Returns the record of an address after another guess at this code; nil if it has none left.
  ///
  /// - Parameter old: The address's record before, if any.
  func guessed(after old: StoredMemberCode?, at now: Int64) -> StoredMemberCode? {
    var record =
      old ?? StoredMemberCode(hash: [], sends: 0, guesses: 0, sentAt: 0, windowAt: now)
    if record.hash != hash {
      record.hash = hash
      record.guesses = 0
    }
    guard record.guesses < Self.guessesMax else { return nil }
    record.guesses += 1
    return record
  }

  /// Returns the record after another code is sent.
  ///
  /// - Throws: ``AccountFailure/codeLimit(_:)`` where the next code is not allowed yet.
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

/// A record of ``MemberCodeStore`` before and after a request for a code.
struct MemberCodeChange: Sendable {
  let key: [UInt8]
  let old: StoredMemberCode?
  let next: StoredMemberCode

  /// Restores the record.
  func undo(in commit: inout Commit) {
    guard let old else { return MemberCodeStore.forget(key, in: &commit) }
    MemberCodeStore.put(old, after: next, of: key, in: &commit)
  }
}

/// The SQL of members' codes, by the keyed hash of the phone. Further rows count requests and
/// guesses per source address, by the keyed hash of phone and address.
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

  /// Stores a record, guarded by the one that was read.
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

  /// Deletes the request count of a phone and source address.
  static func forget(_ key: [UInt8], in commit: inout Commit) {
    commit.run("DELETE FROM member_code WHERE phone = ?1", [key])
  }

  /// Deletes the records whose window is over.
  static func forgetOld(at now: Int64, in commit: inout Commit) {
    commit.run(
      "DELETE FROM member_code WHERE window_at < ?1",
      [now - StoredMemberCode.windowSeconds * 1_000_000])
  }
}
