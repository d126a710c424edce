public import ServiceKit
public import Storage

/// The ciphers, hashes and codecs of the members service.
public struct MembersKeys: Sendable {
  /// Wraps the persons' data keys.
  let cipher: FieldCipher
  /// Hashes resident IDs for lookups.
  let residentIDs: KeyedHash
  /// Hashes phone numbers for lookups.
  let phones: KeyedHash
  /// Derives applicants' subjects from phone numbers.
  let applicants: KeyedHash
  /// Hashes names with birth dates for lookups.
  let births: KeyedHash
  /// Hashes units for lookups.
  let units: KeyedHash
  /// Signs organization codes.
  let codes: KeyedHash
  let pages: PageTokenCodec
  let ledger: RequestLedger
  /// The keyrings by name.
  let rings: [(name: String, ring: LiveKeyring)]
  /// The keyring that hashes and signs.
  let hashRing: LiveKeyring

  /// - Parameters:
  ///   - fields: Wraps persons' data keys and seals stored replies.
  ///   - hashes: Hashes the attributes by which persons are found, and signs codes. Lookups use its
  ///     last two keys: retire the older one before adding a third.
  ///   - pageTokens: Seals page tokens and partners' cursors.
  public init(fields: LiveKeyring, hashes: LiveKeyring, pageTokens: LiveKeyring) {
    rings = [("fields", fields), ("hashes", hashes), ("page-tokens", pageTokens)]
    hashRing = hashes
    cipher = FieldCipher(fields)
    residentIDs = KeyedHash(hashes, purpose: "resident id")
    phones = KeyedHash(hashes, purpose: "phone")
    applicants = KeyedHash(hashes, purpose: "applicant")
    births = KeyedHash(hashes, purpose: "name and birth date")
    units = KeyedHash(hashes, purpose: "unit")
    codes = KeyedHash(hashes, purpose: "organization code")
    pages = PageTokenCodec(pageTokens)
    ledger = RequestLedger(cipher)
  }

  /// Ensures that the keyring holds every key under which a person's hashes are stored; reloads it
  /// if another replica used a newer one.
  ///
  /// - Parameter hashKey: The number of the newest of those keys.
  /// - Throws: `StorageError.unknownKey`, `.keyring`.
  func takeUp(hashKey: Int64) throws {
    if hashKey > Int64(residentIDs.currentKeyID) { try hashRing.reload() }
    if hashKey > Int64(residentIDs.currentKeyID) {
      throw StorageError.unknownKey(UInt32(clamping: hashKey))
    }
  }

  /// Reads the keyrings from the files of the configuration.
  ///
  /// - Throws: `StorageError.keyring`.
  public init(files: KeyringFiles) throws {
    self.init(
      fields: try LiveKeyring(contentsOf: files.fieldsFile),
      hashes: try LiveKeyring(contentsOf: files.hashesFile),
      pageTokens: try LiveKeyring(contentsOf: files.pageTokensFile))
  }
}
