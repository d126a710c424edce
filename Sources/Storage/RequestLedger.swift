internal import Crypto
public import Foundation

/// The key of an idempotent request: a request id in the scope of its caller and method.
public struct RequestKey: Sendable, Hashable {
  /// The caller, e.g. `partners/{id}`.
  public let caller: String
  /// The method, e.g. `/yijia.members.v1.MembersService/SubmitEnrollment`.
  public let method: String
  /// The caller's request id, a validated UUID; within a stream, that of the record.
  public let requestID: String

  /// Creates the key of a caller's request; the id must have been validated.
  public init(caller: String, method: String, requestID: String) {
    self.caller = caller
    self.method = method
    self.requestID = requestID
  }

  /// The ledger's primary key: a digest, so that rows are small and reveal no caller.
  var digest: [UInt8] {
    Array(SHA256.hash(data: SealedBox.context(caller, method, requestID)))
  }
}

/// An idempotency ledger: stores the first reply to each request id in the transaction of the write
/// itself.
///
/// A repeated id with the same payload gets the bytes of the first reply, whatever was written
/// meanwhile. A repeated id with another payload throws `StorageError.requestIDReused`. Refusals
/// (errors thrown by the step) are not stored. Replies are sealed; payloads are stored as keyed
/// digests.
public struct RequestLedger: Sendable {
  static let table = "storage_request"
  private let cipher: FieldCipher

  /// Creates a ledger that seals with the given cipher.
  public init(_ cipher: FieldCipher) {
    self.cipher = cipher
  }

  /// Returns an idempotent form of a write.
  ///
  /// - Parameters:
  ///   - payload: The canonical bytes of the request without anything that may differ between
  ///     attempts, e.g. its deterministic serialization with the request id cleared.
  ///   - time: The current instant.
  ///   - encode: Serializes the reply for storage.
  ///   - decode: Deserializes a stored reply.
  ///   - step: The write, run only for a new id.
  public func once<Reply: Sendable>(
    _ key: RequestKey, payload: [UInt8], at time: Date,
    encode: @escaping @Sendable (Reply) throws -> [UInt8],
    decode: @escaping @Sendable ([UInt8]) throws -> Reply,
    _ step: @escaping @Sendable () throws -> Step<Reply>
  ) -> Step<Reply> {
    let ledger = self
    let digest = key.digest
    return .read(RequestLedger.remembered(digest)) { remembered in
      if let remembered {
        return .reply(try decode(try ledger.open(remembered, digest, payload)))
      }
      // A later phase may see the effect of a concurrent call with this id. Then the answer is that
      // call's reply instead of the refusal.
      return try step().finish { commit, reply in
        var commit = commit ?? Commit(at: time)
        commit.statements.append(
          try ledger.insert(digest, payload, reply: try encode(reply), time))
        return .commit(commit, reply)
      }.orElse { refusal in
        .read(RequestLedger.remembered(digest)) { remembered in
          guard let remembered else { throw refusal }
          return .reply(try decode(try ledger.open(remembered, digest, payload)))
        }
      }
    }
  }

  /// Returns an idempotent form of a write whose reply is bytes.
  public func once(
    _ key: RequestKey, payload: [UInt8], at time: Date,
    _ step: @escaping @Sendable () throws -> Step<[UInt8]>
  ) -> Step<[UInt8]> {
    once(key, payload: payload, at: time, encode: { $0 }, decode: { $0 }, step)
  }

  private struct Remembered: Sendable {
    let payload: [UInt8]
    let reply: [UInt8]
  }

  private static func remembered(_ digest: [UInt8]) -> Query<Remembered?> {
    .keyed(
      "SELECT id, payload, reply FROM storage_request WHERE id IN", [digest], column: "id"
    ) { rows in
      try rows.first.map { row in
        Remembered(payload: try row.blob("payload"), reply: try row.blob("reply"))
      }
    }
  }

  /// Opens a stored reply after comparing the payloads.
  private func open(
    _ remembered: Remembered, _ digest: [UInt8], _ payload: [UInt8]
  ) throws(StorageError) -> [UInt8] {
    let keyID = try FieldCipher.keyID(of: remembered.reply)
    let expected = try cipher.digest(of: payload, table: RequestLedger.table, keyID: keyID)
    guard expected == remembered.payload else { throw .requestIDReused }
    return try cipher.open(
      remembered.reply, table: RequestLedger.table, column: "reply", row: hexadecimal(digest))
  }

  /// Returns the statement that stores the reply. It touches no row if a concurrent call with this
  /// id was first: the write is then attempted again and reads that call's reply.
  private func insert(
    _ digest: [UInt8], _ payload: [UInt8], reply: [UInt8], _ time: Date
  ) throws(StorageError) -> Statement {
    Statement(
      """
      INSERT INTO storage_request (id, payload, reply, time) VALUES (?1, ?2, ?3, ?4)
      ON CONFLICT (id) DO NOTHING
      """,
      [
        digest,
        try cipher.digest(of: payload, table: RequestLedger.table, keyID: cipher.currentKeyID),
        try cipher.seal(
          reply, table: RequestLedger.table, column: "reply", row: hexadecimal(digest)),
        time,
      ], expects: .exactly(1))
  }
}

extension Database {
  /// Deletes the request ids first used before an instant (now less `Limits.requestRetention`), in
  /// small commits.
  ///
  /// - Returns: The number of deleted ids.
  public func purgeRequests(before instant: Date) async throws -> Int {
    var purged = 0
    while true {
      let count = try await write { RequestLedger.purge(before: instant) }
      purged += count
      if count < Limits.rowsPerPurge { return purged }
    }
  }
}

extension Database {
  /// Returns the number of stored replies sealed under each key of the field keyring. Replies can't
  /// be resealed, because the payload digest is keyed too: they expire with their retention.
  ///
  /// - Parameter rows: The number of rows per read. The ledger of a month is too long for one
  ///   statement.
  public func requestsByKey(rowsPerRead rows: Int = 10_000) async throws -> [UInt32: Int] {
    var counts: [UInt32: Int] = [:]
    var after: [UInt8] = []
    while true {
      let (page, last) = try await read(
        RequestLedger.keys(after: after, limit: rows),
        RequestLedger.last(after: after, limit: rows))
      counts.merge(page, uniquingKeysWith: +)
      guard let last else { return counts }
      after = last
    }
  }
}

extension RequestLedger {
  /// Returns the number of replies under each key, of a page of rows by id.
  fileprivate static func keys(after id: [UInt8], limit: Int) -> Query<[UInt32: Int]> {
    Query(
      """
      SELECT key, count(*) AS n FROM (
        SELECT substr(reply, 2, 4) AS key FROM storage_request
        WHERE id > ?1 ORDER BY id LIMIT ?2) AS page
      GROUP BY key
      """, [id, limit]
    ) { rows in
      try Dictionary(
        uniqueKeysWithValues: rows.map { row in
          (try row.blob("key").reduce(0) { $0 << 8 | UInt32($1) }, try row.int("n"))
        })
    }
  }

  /// Returns the last id of that page; `nil` if it is not full, and so the last one.
  fileprivate static func last(after id: [UInt8], limit: Int) -> Query<[UInt8]?> {
    .first(
      "SELECT id FROM storage_request WHERE id > ?1 ORDER BY id LIMIT 1 OFFSET ?2",
      [id, limit - 1]
    ) { try $0.blob("id") }
  }

  fileprivate static func purge(before instant: Date) -> Step<Int> {
    let old = Query<[[UInt8]]>.all(
      "SELECT id FROM storage_request WHERE time < ?1 ORDER BY time LIMIT ?2",
      [instant, Limits.rowsPerPurge]
    ) { row in try row.blob("id") }
    return .read(old) { ids in
      if ids.isEmpty { return .reply(0) }
      let statements = ids.map { Statement("DELETE FROM storage_request WHERE id = ?1", [$0]) }
      return .commit(Commit(at: instant, statements: statements), ids.count)
    }
  }
}

/// Returns bytes as lower-case hexadecimal digits.
func hexadecimal(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
    for (index, byte) in bytes.enumerated() {
      buffer[2 * index] = digits[Int(byte >> 4)]
      buffer[2 * index + 1] = digits[Int(byte & 15)]
    }
    return bytes.count * 2
  }
}
