/// A store that can be copied to one file while in use.
public protocol CopyableDatabase: Database {
  /// Copies the committed data to a file (mode 0600), durably. Reads and writes continue meanwhile.
  ///
  /// - Parameters:
  ///   - path: The path of the copy; an existing file is refused.
  ///   - progress: Called with the bytes written and the approximate total.
  func copy(
    to path: String, progress: (_ done: Int, _ total: Int) async throws -> Void
  ) async throws
}

extension Database {
  /// Assigns a new epoch to the feed. After a restore from a backup, feed positions are assigned a
  /// second time, which consumers detect by the epoch. Open stores keep the old epoch.
  public func renewEpoch(_ epoch: Int64 = .random(in: 1...Int64.max)) async throws {
    var commit = Commit(at: .init(microseconds: 0))
    commit.run(
      "UPDATE storage_meta SET value = ?1 WHERE name = 'epoch' AND value <> ?1", [epoch],
      expects: .exactly(1))
    try await write(commit)
  }
}
