import ServiceKit
import Storage

/// The text of an organization's code, as printed or put into a QR code: `YJ1-`, the code's id and
/// a signature, both in Crockford's base 32 without anything to mistake. Upper-case letters and
/// digits only, so that a QR code takes its compact alphanumeric form.
struct OrganizationCodeText: Sendable, Hashable {
  private static let prefix = "YJ1-"
  /// 128 bits each.
  private static let idCharacters = 26
  private static let signatureBytes = 16

  /// Identifier of the code.
  let id: String

  init(id: String) { self.id = id }

  /// Reads a scanned text, or the link that ends with it: case, blanks around it and the letters O,
  /// I, L do not matter.
  ///
  /// - Throws: ``MembersError/codeMalformed``, ``MembersError/codeForged``.
  init(scanned text: String, signedBy signer: KeyedHash) throws(MembersError) {
    // Longer than any link to a code with blanks around it: not worth a look.
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

  /// The text, signed under the current key.
  func text(signedBy signer: KeyedHash) -> String {
    Self.prefix + Base32.text(Base32.bytes(ofHex: id))
      + Base32.text(signatures(by: signer)[0])
  }

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
