internal import Crypto
public import Foundation

/// What makes a request id unique: it is scoped to its caller and method.
public struct RequestKey: Sendable, Hashable {
  /// E.g. `partners/{id}`.
  public let caller: String
  /// E.g. `/yijia.members.v1.MembersService/SubmitEnrollment`.
  public let method: String
  /// The caller's request id (a UUID, already validated); in a stream, each record's own.
  public let requestID: String

  public init(caller: String, method: String, requestID: String) {
    self.caller = caller
    self.method = method
    self.requestID = requestID
  }

  /// The ledger's key: a digest, so that rows are small and show no caller.
  var digest: [UInt8] {
    Array(SHA256.hash(data: SealedBox.context(caller, method, requestID)))
  }
}

/// Remembers the first reply to each request id, in the transaction of the work itself.
///
/// Same id and same payload: the first reply's bytes again, whatever happened in between. Same id,
/// other payload: `StorageError.requestIDReused`. A refusal (whatever the step throws) is not
/// remembered. Replies are sealed; payloads are kept as a keyed digest.
public struct RequestLedger: Sendable {
  static let table = "storage_request"
  private let cipher: FieldCipher

  public init(_ cipher: FieldCipher) {
    self.cipher = cipher
  }

  /// Makes a write idempotent.
  ///
  /// - Parameters:
  ///   - payload: the request's canonical bytes without what may differ between attempts, e.g. its
  ///     deterministic serialization with the request id cleared.
  ///   - time: now.
  ///   - encode: the reply's bytes, to remember.
  ///   - decode: the reply from the remembered bytes.
  ///   - step: the write, run for a new id only.
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
      // A phase may see what another call with this id has done since the ledger was read: then
      // that call's reply is the answer, and not that there is nothing left to do.
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

  /// As the other `once`, of a reply that is bytes already.
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

  private func open(
    _ remembered: Remembered, _ digest: [UInt8], _ payload: [UInt8]
  ) throws(StorageError) -> [UInt8] {
    let keyID = try FieldCipher.keyID(of: remembered.reply)
    let expected = try cipher.digest(of: payload, table: RequestLedger.table, keyID: keyID)
    guard expected == remembered.payload else { throw .requestIDReused }
    return try cipher.open(
      remembered.reply, table: RequestLedger.table, column: "reply", row: hexadecimal(digest))
  }

  /// Touches no row when another call with this id came first: then the write reads again and finds
  /// that call's reply.
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
  /// Forgets the request ids whose first call was before an instant (now less
  /// `Limits.requestRetention`), in small commits.
  ///
  /// - Returns: how many.
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
  /// How many remembered replies each key of the field keyring sealed. They can't be sealed anew
  /// (what recognizes the payload is keyed too): they go with their retention.
  public func requestsByKey() async throws -> [UInt32: Int] {
    try await read(
      Query(
        """
        SELECT substr(reply, 2, 4) AS key, count(*) AS n FROM storage_request
        GROUP BY substr(reply, 2, 4)
        """
      ) { rows in
        try Dictionary(
          uniqueKeysWithValues: rows.map { row in
            (try row.blob("key").reduce(0) { $0 << 8 | UInt32($1) }, try row.int("n"))
          })
      })
  }
}

extension RequestLedger {
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

/// Bytes as lower-case hexadecimal digits.
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
