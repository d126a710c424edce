import ServiceKit
import Storage

/// The text of an organization code, as printed or encoded in a QR code: `YJ1-`, the code's id and
/// a signature, both in Crockford's base 32, which has no ambiguous characters. It consists of
/// upper-case letters, digits and `-`, so that a QR code can use its compact alphanumeric mode.
struct OrganizationCodeText: Sendable, Hashable {
  private static let prefix = "YJ1-"
  /// The base 32 length of 128 bits.
  private static let idCharacters = 26
  /// The truncated size of the signature: 128 bits.
  private static let signatureBytes = 16

  /// The identifier of the code.
  let id: String

  init(id: String) { self.id = id }

  /// Parses a scanned text, or a link that ends with it. Ignores case and surrounding blanks, and
  /// accepts the letters O, I and L for digits.
  ///
  /// - Throws: ``MembersError/codeMalformed``, ``MembersError/codeForged``.
  init(scanned text: String, signedBy signer: KeyedHash) throws(MembersError) {
    // Longer than any link to a code with surrounding blanks.
    guard text.utf8.count <= 512 else { throw .codeMalformed }
    let scanned = text.trimmingBlanks.uppercased()
    let body = scanned.split { $0 == "/" || $0 == "=" }.last ?? ""
    guard body.hasPrefix(Self.prefix) else { throw .codeMalformed }
    let digits = body.dropFirst(Self.prefix.count)
    guard digits.utf8.count == 2 * Self.idCharacters,
      let id = Base32.bytes(of: digits.prefix(Self.idCharacters)),
      let signature = Base32.bytes(of: digits.suffix(Self.idCharacters))
    else { throw .codeMalformed }
    self.id = Base32.hex(id)
    guard signatures(by: signer).contains(signature) else { throw .codeForged }
  }

  /// Returns the text, signed under the current key.
  func text(signedBy signer: KeyedHash) -> String {
    Self.prefix + Base32.text(Base32.bytes(ofHex: id))
      + Base32.text(signatures(by: signer)[0])
  }

  /// Returns the valid signatures, the current key's first.
  private func signatures(by signer: KeyedHash) -> [[UInt8]] {
    signer.candidates(Self.prefix + id).map { Array($0.prefix(Self.signatureBytes)) }
  }
}

extension String {
  fileprivate var trimmingBlanks: Substring {
    var slice = self[...]
    while let first = slice.first, first.isWhitespace { slice = slice.dropFirst() }
    while let last = slice.last, last.isWhitespace { slice = slice.dropLast() }
    return slice
  }
}
