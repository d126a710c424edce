internal import Crypto
internal import Foundation

/// Encodes page tokens: the cursor of a list, encrypted (it may contain names) and bound to the
/// list.
///
/// A token opens only in the scope that it was made for (method, filter, order and caller), so that
/// none of these can change between pages. Any key of the ring opens it, so that a key rotation
/// does not invalidate tokens.
public struct PageTokenCodec: Sendable {
  private let cipher: FieldCipher

  /// Creates a codec with a fixed keyring.
  public init(_ keyring: Keyring) {
    cipher = FieldCipher(keyring)
  }

  /// Creates a codec whose keyring may be replaced while in use.
  public init(_ live: LiveKeyring) {
    cipher = FieldCipher(live)
  }

  /// Returns the token for the page after a row.
  ///
  /// - Parameters:
  ///   - cursor: The row's values of the sort columns, the unique one last.
  ///   - scope: Everything that must stay the same between pages, e.g. method, caller and filters.
  public func encode(
    _ cursor: [any SQLValueConvertible], scope: [String]
  ) throws(StorageError) -> String {
    let bytes = ValueCoding.encode(cursor.map(\.sqlValue))
    let sealed = try cipher.seal(
      bytes, table: "page_token", column: "cursor", row: PageTokenCodec.row(scope))
    return Data(sealed).base64EncodedString()
      .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }

  /// Returns the cursor of a token; `nil` for the empty token, which stands for the first page.
  ///
  /// - Throws: `StorageError.invalidPageToken`.
  public func decode(_ token: String, scope: [String]) throws(StorageError) -> [SQLValue]? {
    if token.isEmpty { return nil }
    guard token.utf8.count <= Limits.pageTokenBytes else { throw .invalidPageToken }
    let padding = String(repeating: "=", count: (4 - token.utf8.count % 4) % 4)
    let text = token.replacing("-", with: "+").replacing("_", with: "/") + padding
    guard !token.contains("="), let sealed = Data(base64Encoded: text) else {
      throw .invalidPageToken
    }
    do {
      let bytes = try cipher.open(
        Array(sealed), table: "page_token", column: "cursor", row: PageTokenCodec.row(scope))
      return try ValueCoding.decode(bytes)
    } catch {
      throw .invalidPageToken
    }
  }

  /// Returns a digest of the scope, of fixed length however long the filters are.
  private static func row(_ scope: [String]) -> String {
    var hash = SHA256()
    for part in scope { hash.update(data: SealedBox.context(part)) }
    return Data(hash.finalize()).base64EncodedString()
  }
}

/// Encodes values as bytes: a tag each, then eight big-endian bytes or a length and the bytes.
package enum ValueCoding {
  package static func encode(_ values: [SQLValue]) -> [UInt8] {
    var bytes: [UInt8] = []
    for value in values {
      switch value {
      case .null: bytes.append(0)
      case .integer(let integer): append(1, UInt64(bitPattern: integer), to: &bytes)
      case .real(let real): append(2, real.bitPattern, to: &bytes)
      case .text(let text):
        append(3, UInt64(text.utf8.count), to: &bytes)
        bytes.append(contentsOf: text.utf8)
      case .blob(let blob):
        append(4, UInt64(blob.count), to: &bytes)
        bytes.append(contentsOf: blob)
      }
    }
    return bytes
  }

  private static func append(_ tag: UInt8, _ number: UInt64, to bytes: inout [UInt8]) {
    bytes.append(tag)
    withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
  }

  package static func decode(_ bytes: [UInt8]) throws(StorageError) -> [SQLValue] {
    var rest = bytes[...]
    var values: [SQLValue] = []
    while let tag = rest.popFirst() {
      values.append(try value(tag, &rest))
    }
    return values
  }

  private static func value(
    _ tag: UInt8, _ rest: inout ArraySlice<UInt8>
  ) throws(StorageError) -> SQLValue {
    if tag == 0 { return .null }
    guard rest.count >= 8 else { throw .invalidPageToken }
    let number = rest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    rest.removeFirst(8)
    if tag == 1 { return .integer(Int64(bitPattern: number)) }
    if tag == 2 { return .real(Double(bitPattern: number)) }
    guard number <= UInt64(rest.count) else { throw .invalidPageToken }
    let bytes = Array(rest.prefix(Int(number)))
    rest.removeFirst(Int(number))
    if tag == 4 { return .blob(bytes) }
    guard tag == 3, let text = String(validating: bytes, as: UTF8.self) else {
      throw .invalidPageToken
    }
    return .text(text)
  }
}
