public import ServiceKit
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
  /// Finds units.
  let units: KeyedHash
  /// Signs organization codes.
  let codes: KeyedHash
  let pages: PageTokenCodec
  let ledger: RequestLedger
  /// What they all are made of, by name.
  let rings: [(name: String, ring: LiveKeyring)]
  /// What hashes and signs.
  let hashRing: LiveKeyring

  /// - Parameters:
  ///   - fields: Wraps persons' keys and seals remembered replies.
  ///   - hashes: Hashes what persons are found by, and signs codes. Both are looked up under its
  ///     last two keys: the older one is retired before a third is added.
  ///   - pageTokens: Seals page tokens and partners' cursors.
  public init(fields: LiveKeyring, hashes: LiveKeyring, pageTokens: LiveKeyring) {
    rings = [("fields", fields), ("hashes", hashes), ("page-tokens", pageTokens)]
    hashRing = hashes
    cipher = FieldCipher(fields)
    residentIDs = KeyedHash(hashes, purpose: "resident id")
    phones = KeyedHash(hashes, purpose: "phone")
    births = KeyedHash(hashes, purpose: "name and birth date")
    units = KeyedHash(hashes, purpose: "unit")
    codes = KeyedHash(hashes, purpose: "organization code")
    pages = PageTokenCodec(pageTokens)
    ledger = RequestLedger(cipher)
  }

  /// Sees to it that a person's hashes are known under every key that they are stored under:
  /// another replica may have taken up a newer one, which is in the file by then.
  ///
  /// - Parameter hashKey: the number of the newest.
  /// - Throws: `StorageError.unknownKey`, `.keyring`.
  func takeUp(hashKey: Int64) throws {
    if hashKey > Int64(residentIDs.currentKeyID) { try hashRing.reload() }
    if hashKey > Int64(residentIDs.currentKeyID) {
      throw StorageError.unknownKey(UInt32(clamping: hashKey))
    }
  }

  /// The keys in a service's files.
  ///
  /// - Throws: `StorageError.keyring`.
  public init(files: KeyringFiles) throws {
    self.init(
      fields: try LiveKeyring(contentsOf: files.fieldsFile),
      hashes: try LiveKeyring(contentsOf: files.hashesFile),
      pageTokens: try LiveKeyring(contentsOf: files.pageTokensFile))
  }
}
