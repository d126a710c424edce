extension Commit {
  /// Refuses the write, with `StorageError.outdatedKey`, if the store needs a newer key than those
  /// that the write uses: another replica took up a newer keyring and renews what older keys hashed
  /// and sealed, and a row under an older key only would be missed by it, and lost once that key is
  /// retired.
  ///
  /// The statement inserts nothing, or violates a constraint. It is one look-up in a table of a few
  /// rows, in the write's own transaction, so that no row under an older key can be stored after
  /// the newer key was marked. Writes that share a commit share it (`Statement.isCheck`).
  ///
  /// - Parameters:
  ///   - hashKey: The number of the newest key under which the write stores hashes.
  ///   - sealed: A value that the write seals under the key of the field keyring.
  /// - Throws: `StorageError.sealBroken`.
  public mutating func refuseOutdated(
    hashKey: UInt32, sealed: [UInt8]
  ) throws(StorageError) {
    run(
      Statement(
        """
        INSERT INTO storage_key (keyring, key, mark) SELECT keyring, key, NULL FROM storage_key
        WHERE (keyring = 'hashes' AND key > ?1) OR (keyring = 'fields' AND key > ?2)
        """, [Int64(hashKey), Int64(try FieldCipher.keyID(of: sealed))], isCheck: true))
  }
}

extension StorageError {
  /// Maps the violation of a constraint.
  ///
  /// - Returns: `.outdatedKey` for the one that `Commit.refuseOutdated` relies on.
  public static func violated(_ constraint: Constraint) -> StorageError {
    constraint.table == "storage_key" && constraint.kind == .notNull
      ? .outdatedKey : .constraint(constraint)
  }
}

extension Database {
  /// Takes up the keyrings' files if the store needs newer keys than these: another replica has
  /// taken them up.
  ///
  /// - Returns: Whether they were reloaded.
  /// - Throws: `StorageError.keyring` if a file lacks such a key: it was not copied here.
  public func takeUpNewerKeys(_ rings: [NamedKeyring]) async throws -> Bool {
    let marks = try await keyMarks()
    let outdated = rings.filter { ring in
      marks.contains { $0.keyring == ring.name && $0.key > ring.live.keyring.current.id }
    }
    if outdated.isEmpty { return false }
    try await markKeys(outdated)
    for ring in outdated { try ring.live.reload() }
    return true
  }
}
