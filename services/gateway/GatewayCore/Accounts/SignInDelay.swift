import Foundation
import ServiceKit
import Storage
import Synchronization

/// The delay after failed sign-ins, which doubles with each failure. A pure function.
///
/// A guess is counted before it is checked, so that concurrent ones all count; it is counted for
/// its source address and for the account as a whole. While a delay is running, guesses are neither
/// checked nor counted: someone who knows the password waits for a minute at most, and not at all
/// because of guesses from other addresses. Only wrong codes of the authenticator, behind the
/// correct password, delay everybody, and for longer.
enum SignInDelay {
  /// The failure from one address from which on there is a delay.
  static let free: Int64 = 5
  /// The same for the failures from all addresses together: seven times what one address can
  /// make in a day, so that nobody can delay others single-handedly; as an attack on a password it
  /// is still too few.
  static let freeOfAll: Int64 = 10_000
  /// The longest delay, in seconds: longer, a lockout would be a weapon, while 1,440 guesses a day
  /// do not break a password.
  static let maxSeconds: Int64 = 60
  /// The wrong code of an authenticator from which on there is a delay, of ``codeSeconds``. Codes
  /// are counted in a row and from all addresses together: only who knows the password gets to
  /// guess them, so that a long delay is no weapon of strangers. As three codes of a million are
  /// valid at a time, the chance of guessing one is 1 in 7,700 on the first day and 1 in 13,800 on
  /// any other.
  static let freeCodes: Int64 = 20
  /// The delay after each of them, in seconds.
  static let codeSeconds: Int64 = 3_600
  /// How long failures are remembered, in seconds.
  static let memorySeconds: Int64 = 86_400

  /// Returns the delay in seconds after that many failures.
  static func seconds(failures: Int64, free: Int64 = free) -> Int64 {
    failures < free ? 0 : min(maxSeconds, 1 << min(failures - free, 16))
  }

  /// Returns the delay in seconds after that many wrong codes.
  static func seconds(wrongCodes: Int64) -> Int64 {
    wrongCodes < freeCodes ? 0 : codeSeconds
  }
}

/// The failed guesses at one secret, by the keyed hash of the account's name. Unknown names are
/// counted too, so that a delay does not reveal whether an account exists.
struct StoredGuesses: Sendable, Hashable {
  var failures: Int64
  /// Microseconds since 1970.
  var lockedUntil: Int64
  /// Microseconds since 1970.
  var updatedAt: Int64
}

/// The keys under which guesses at one secret are counted: those from one address, and all.
struct GuessKeys: Sendable, Hashable {
  let fromSource: [UInt8]
  let all: [UInt8]

  init(_ hasher: KeyedHash, _ kind: String, _ name: String, from source: String) {
    all = Self.all(hasher, kind, name)
    fromSource = all + hasher.hash(source)
  }

  /// The key of all guesses at the secret, with which those of its addresses begin.
  static func all(_ hasher: KeyedHash, _ kind: String, _ name: String) -> [UInt8] {
    hasher.hash("\(kind)/\(name)")
  }

  /// The key of the guesses at the codes of an account's authenticator.
  static func codes(_ hasher: KeyedHash, of userName: String) -> [UInt8] {
    all(hasher, "code", userName)
  }
}

/// The SQL of guesses.
enum GuessStore {

  static func byKey(_ key: [UInt8]) -> Query<StoredGuesses?> {
    .first("SELECT failures, locked_until, updated_at FROM guess WHERE key = ?1", [key]) { row in
      StoredGuesses(
        failures: try row.integer("failures"), lockedUntil: try row.integer("locked_until"),
        updatedAt: try row.integer("updated_at"))
    }
  }

  /// Counts a guess before it is checked.
  ///
  /// - Throws: ``AccountFailure/signInDelayed(_:)`` while a delay is running.
  static func count(_ keys: GuessKeys, at now: Date) -> Step<Void> {
    .read(byKey(keys.fromSource), byKey(keys.all)) { fromSource, all in
      try check(max(fromSource?.lockedUntil ?? 0, all?.lockedUntil ?? 0), at: now)
      var commit = Commit(at: now)
      count(keys.fromSource, after: fromSource, at: now, in: &commit) {
        SignInDelay.seconds(failures: $0)
      }
      count(keys.all, after: all, at: now, in: &commit) {
        SignInDelay.seconds(failures: $0, free: SignInDelay.freeOfAll)
      }
      return .commit(commit, ())
    }
  }

  /// Counts a guess at an authenticator's code before it is checked.
  ///
  /// - Parameter key: ``GuessKeys/codes(_:of:)``.
  /// - Returns: The wrong codes in a row, should this one be wrong.
  /// - Throws: ``AccountFailure/signInDelayed(_:)`` while a delay is running.
  static func countCode(_ key: [UInt8], at now: Date) -> Step<Int64> {
    .read(byKey(key)) { stored in
      try check(stored?.lockedUntil ?? 0, at: now)
      var commit = Commit(at: now)
      let codes = count(key, after: stored, at: now, in: &commit) {
        SignInDelay.seconds(wrongCodes: $0)
      }
      return .commit(commit, codes)
    }
  }

  private static func check(_ lockedUntil: Int64, at now: Date) throws(AccountFailure) {
    let wait = lockedUntil - now.microseconds
    guard wait <= 0 else { throw .signInDelayed(.microseconds(wait)) }
  }

  /// Returns the failures, this one included.
  @discardableResult
  private static func count(
    _ key: [UInt8], after stored: StoredGuesses?, at now: Date, in commit: inout Commit,
    delay: (_ failures: Int64) -> Int64
  ) -> Int64 {
    let time = now.microseconds
    let isOld = time - (stored?.updatedAt ?? time) > SignInDelay.memorySeconds * 1_000_000
    let failures = (isOld ? 0 : stored?.failures ?? 0) + 1
    let until = time + delay(failures) * 1_000_000
    if let stored {
      commit.run(
        """
        UPDATE guess SET failures = ?2, locked_until = ?3, updated_at = ?4
        WHERE key = ?1 AND failures = ?5 AND updated_at = ?6
        """, [key, failures, until, time, stored.failures, stored.updatedAt],
        expects: .exactly(1))
    } else {
      commit.run(
        """
        INSERT INTO guess (key, failures, locked_until, updated_at) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (key) DO NOTHING
        """, [key, failures, until, time], expects: .exactly(1))
    }
    return failures
  }

  /// Deletes the counters of an account after a correct guess.
  static func forget(_ keys: GuessKeys, in commit: inout Commit) {
    for key in [keys.fromSource, keys.all] {
      commit.run("DELETE FROM guess WHERE key = ?1", [key])
    }
  }

  /// Deletes the count of wrong codes of an account.
  ///
  /// - Parameter key: ``GuessKeys/codes(_:of:)``.
  static func forgetCodes(_ key: [UInt8], in commit: inout Commit) {
    commit.run("DELETE FROM guess WHERE key = ?1", [key])
  }

  /// Deletes the counters of an account for every address.
  ///
  /// - Parameter all: ``GuessKeys/all``.
  static func forgetAll(_ all: [UInt8], in commit: inout Commit) {
    // No hash of an address is longer, or greater.
    let last = all + [UInt8](repeating: 0xff, count: all.count + 1)
    commit.run("DELETE FROM guess WHERE key >= ?1 AND key <= ?2", [all, last])
  }

  /// Deletes the counters that are too old to matter.
  static func forgetOld(at now: Date) -> Commit {
    var commit = Commit(at: now)
    commit.run(
      "DELETE FROM guess WHERE updated_at < ?1",
      [now.microseconds - SignInDelay.memorySeconds * 1_000_000])
    return commit
  }
}
