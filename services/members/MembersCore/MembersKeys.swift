public import Storage

/// What seals, hashes and signs in the members service.
public struct MembersKeys: Sendable {
  /// Wraps the persons' keys.
  let cipher: FieldCipher
  /// Finds persons by resident ID.
  let residentIDs: KeyedHash
  /// Finds persons by phone.
  let phones: KeyedHash
  /// Finds persons of one name and birth date.
  let births: KeyedHash
  /// Signs organization codes.
  let codes: KeyedHash
  let pages: PageTokenCodec
  let ledger: RequestLedger

  /// - Parameters:
  ///   - fields: Wraps persons' keys and seals remembered replies.
  ///   - hashes: Hashes what persons are found by, and signs codes. Both are looked up under its
  ///     last two keys: every person is hashed anew before a third is added.
  ///   - pageTokens: Seals page tokens and partners' cursors.
  public init(fields: Keyring, hashes: Keyring, pageTokens: Keyring) {
    cipher = FieldCipher(fields)
    residentIDs = KeyedHash(hashes, purpose: "resident id")
    phones = KeyedHash(hashes, purpose: "phone")
    births = KeyedHash(hashes, purpose: "name and birth date")
    codes = KeyedHash(hashes, purpose: "organization code")
    pages = PageTokenCodec(pageTokens)
    ledger = RequestLedger(cipher)
  }
}
