internal import Crypto
public import Foundation

/// The secret keys of one purpose, oldest first. The last one seals, all of them open.
///
/// A keyring file holds one key per line, `ID CREATED SECRET`: an increasing number, an instant
/// (`2026-11-21T06:46:51Z`), and 32 bytes in base64. Empty lines and lines that start with `#` are
/// skipped; anything else is rejected. The file must be a regular one, owned by the process's user,
/// with no permissions for others (mode 0600).
public struct Keyring: Sendable {
  /// A key. Its secret is not accessible outside the module and never part of a description.
  public struct Key: Sendable, CustomStringConvertible {
    /// The number of the key.
    public let id: UInt32
    /// The instant at which the key was generated.
    public let created: Date
    let secret: SymmetricKey

    public var description: String { "key \(id)" }
  }

  /// The keys, oldest first; at least one.
  public let keys: [Key]

  /// The key used for sealing.
  public var current: Key { keys[keys.count - 1] }

  /// - Throws: `StorageError.keyring` if there is no key or the ids don't increase.
  init(keys: [Key]) throws(StorageError) {
    guard !keys.isEmpty else { throw .keyring("it holds no key") }
    for (older, newer) in zip(keys, keys.dropFirst()) where older.id >= newer.id {
      throw .keyring("the id \(newer.id) does not rise")
    }
    self.keys = keys
  }

  /// Returns a keyring with one new key.
  public static func generate(at time: Date) -> Keyring {
    Keyring(first: Key(id: 1, created: time, secret: SymmetricKey(size: .bits256)))
  }

  private init(first: Key) {
    keys = [first]
  }

  /// Returns the keyring with a new key appended, which becomes the current one.
  public func adding(at time: Date) -> Keyring {
    let key = Key(id: current.id + 1, created: time, secret: SymmetricKey(size: .bits256))
    return Keyring(trusted: keys + [key])
  }

  /// Returns the keyring without its oldest keys. Values sealed under those can't be opened any
  /// more.
  public func keepingLast(_ count: Int) -> Keyring {
    precondition(count >= 1, "a keyring holds a key")
    return Keyring(trusted: Array(keys.suffix(count)))
  }

  private init(trusted keys: [Key]) {
    self.keys = keys
  }

  /// Returns the key with the given number.
  func key(_ id: UInt32) throws(StorageError) -> Key {
    guard let key = keys.first(where: { $0.id == id }) else { throw .unknownKey(id) }
    return key
  }
}

// MARK: - Text

extension Keyring {
  static let secretBytes = 32

  /// Parses the text of a keyring file.
  ///
  /// - Throws: `StorageError.keyring`.
  public init(text: String) throws(StorageError) {
    var keys: [Key] = []
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() where !line.isEmpty && !line.hasPrefix("#") {
      keys.append(try Keyring.key(line: line, number: index + 1))
    }
    try self.init(keys: keys)
  }

  private static func key(line: Substring, number: Int) throws(StorageError) -> Key {
    let fields = line.split(separator: " ", omittingEmptySubsequences: false)
    guard fields.count == 3 else {
      throw .keyring("line \(number) is not \"ID CREATED SECRET\"")
    }
    guard let id = UInt32(fields[0]), id > 0, String(id) == fields[0] else {
      throw .keyring("line \(number): the id is no whole number from 1")
    }
    guard let created = Date(rfc3339: fields[1]) else {
      throw .keyring("line \(number): the time is not like 2026-11-21T06:46:51Z")
    }
    guard let secret = Data(base64Encoded: String(fields[2])), secret.count == secretBytes else {
      throw .keyring("line \(number): the secret is not 32 bytes in base64")
    }
    return Key(id: id, created: created, secret: SymmetricKey(data: secret))
  }

  /// Returns the text of a keyring file, including the secrets.
  func fileText() -> String {
    var text = "# yijia keyring: ID CREATED SECRET; the last key seals. Keep it secret (0600).\n"
    for key in keys {
      let secret = key.secret.withUnsafeBytes { Data($0) }.base64EncodedString()
      text += "\(key.id) \(key.created.rfc3339) \(secret)\n"
    }
    return text
  }
}

extension Keyring: CustomStringConvertible, CustomDebugStringConvertible {
  public var description: String { "keyring of \(keys.count), current \(current.id)" }
  public var debugDescription: String { description }
}
