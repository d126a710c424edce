/// A store that can be copied into one file while it is in use.
public protocol CopyableDatabase: Database {
  /// Copies what is committed now into a file (mode 0600), durably. Readers and writers go on.
  ///
  /// - Parameters:
  ///   - path: Where; refused where something is there.
  ///   - progress: Bytes written, and bytes in all, about.
  func copy(
    to path: String, progress: (_ done: Int, _ total: Int) async throws -> Void
  ) async throws
}

extension Database {
  /// Gives the store's history a new name: after a restore from a backup, positions of the feed are
  /// given out a second time, and consumers must notice. Opened stores go on under the old one.
  public func renewEpoch(_ epoch: Int64 = .random(in: 1...Int64.max)) async throws {
    var commit = Commit(at: .init(microsecondsSince1970: 0))
    commit.run(
      "UPDATE storage_meta SET value = ?1 WHERE name = 'epoch' AND value <> ?1", [epoch],
      expects: .exactly(1))
    try await write(commit)
  }
}
