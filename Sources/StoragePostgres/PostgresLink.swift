internal import CPostgres
internal import Foundation
internal import Storage

/// One connection of libpq: the only place of its handle. Confined to one thread at a time: the one
/// that connects, then the engine's.
// Sendable: it is handed over once, from the thread that connected to the engine's, by a mailbox.
final class PostgresLink: @unchecked Sendable {
  /// Owned: finished in `close`, or in `deinit` at the latest.
  private var handle: OpaquePointer?

  /// Connects and waits: on a thread that may block (names are looked up, several hosts tried).
  ///
  /// - Throws: `StorageError.unreachable`, `.address`.
  init(url: String, options: PostgresOptions) throws(StorageError) {
    // Of a keyword that occurs twice the last counts: what is before the URL is a default.
    let settings: [(String, String)] = [
      ("connect_timeout", "2"), ("tcp_user_timeout", "3000"), ("keepalives_idle", "5"),
      ("keepalives_interval", "2"), ("keepalives_count", "3"), ("application_name", "yijia"),
      ("dbname", url), ("target_session_attrs", "read-write"), ("client_encoding", "UTF8"),
    ]
    let keys = settings.map { strdup($0.0) } + [nil]
    let values = settings.map { strdup($0.1) } + [nil]
    defer { for text in keys + values { free(text) } }
    handle = PQconnectdbParams(
      keys.map { UnsafePointer($0) }, values.map { UnsafePointer($0) }, 1)
    guard PQstatus(handle) == CONNECTION_OK else { throw .unreachable(.init(message)) }
  }

  deinit {
    close()
  }

  func close() {
    PQfinish(handle)
    handle = nil
  }

  /// The connection's last words.
  var message: String {
    PQerrorMessage(handle).map { String(cString: $0) } ?? "no connection"
  }

  var isLost: Bool { PQstatus(handle) != CONNECTION_OK }
  var socket: Int32 { PQsocket(handle) }

  // MARK: Waiting, outside of the engine's thread

  /// Runs a text of several statements, or one with arguments, and waits.
  func run(_ sql: String) throws(StorageError) {
    _ = try result(of: PQexec(handle, sql), sql)
  }

  func rows(_ sql: String, _ arguments: [SQLValue] = []) throws(StorageError) -> [Row] {
    let (text, _) = try PostgresText.statement(sql)
    let parameters = try Parameters(arguments)
    let result = parameters.withPointers { types, values, lengths, formats in
      PQexecParams(handle, text, Int32(arguments.count), types, values, lengths, formats, 1)
    }
    return try self.result(of: result, sql).rows()
  }

  private func result(
    of pointer: OpaquePointer?, _ sql: String
  ) throws(StorageError) -> PostgresResult {
    guard let pointer else { throw .unreachable(.init(message)) }
    let result = PostgresResult(pointer)
    guard case .failed(let error) = result.status else { return result }
    throw isLost ? .unreachable(.init(message)) : error.storageError(sql: sql)
  }

  // MARK: The pipeline, on the engine's thread

  /// From here on no call waits.
  func enterPipeline() throws(StorageError) {
    guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else {
      throw .unreachable(.init(message))
    }
  }

  /// Queues: `false` where the connection is lost.
  func prepare(_ name: String, _ sql: String, types: [UInt32]) -> Bool {
    PQsendPrepare(handle, name, sql, Int32(types.count), types) == 1
  }

  func execute(_ name: String, _ parameters: Parameters) -> Bool {
    parameters.withPointers { _, values, lengths, formats in
      PQsendQueryPrepared(
        handle, name, Int32(parameters.count), values, lengths, formats, 1) == 1
    }
  }

  func runUnprepared(_ sql: String) -> Bool {
    PQsendQueryParams(handle, sql, 0, nil, nil, nil, nil, 1) == 1
  }

  /// Queues the end of a transaction or batch.
  func sync() -> Bool { PQpipelineSync(handle) == 1 }
  /// Asks the server for what it has so far.
  func requestFlush() -> Bool { PQsendFlushRequest(handle) == 1 }

  /// Sends what is queued: whether something is left to send, `nil` where the connection is lost.
  func flush() -> Bool? {
    switch PQflush(handle) {
    case 0: false
    case 1: true
    default: nil
    }
  }

  /// Takes what arrived: `false` where the connection is lost.
  func receive() -> Bool { PQconsumeInput(handle) == 1 }

  /// A next result can be taken without waiting.
  var hasResult: Bool { PQisBusy(handle) == 0 }

  /// The next result; `nil` ends those of one command.
  func nextResult() -> PostgresResult? { PQgetResult(handle).map { PostgresResult($0) } }

  /// Whether the server told of something since the last call.
  func takeNotifications() -> Bool {
    var isTold = false
    while let notification = PQnotifies(handle) {
      isTold = true
      PQfreemem(notification)
    }
    return isTold
  }

  /// What asks the server to end the running statement; usable from any thread.
  func canceller() -> Canceller? { PQgetCancel(handle).map { Canceller($0) } }
}

/// A request to end what a connection runs.
// Sendable: libpq's object for it never changes, and may be used from any thread.
final class Canceller: @unchecked Sendable {
  /// Owned: freed in `deinit`.
  private let handle: OpaquePointer

  init(_ handle: OpaquePointer) {
    self.handle = handle
  }

  deinit {
    PQfreeCancel(handle)
  }

  /// Connects, asks, and waits.
  func cancel() {
    var reason = [CChar](repeating: 0, count: 256)
    _ = PQcancel(handle, &reason, Int32(reason.count))
  }
}

/// Arguments in binary form, one after the other in one buffer.
struct Parameters {
  private var bytes: [UInt8] = []
  private var lengths: [Int32] = []
  private var formats: [Int32] = []
  /// Where each begins; -1 is NULL.
  private var offsets: [Int] = []
  let types: [UInt32]

  init(_ arguments: [SQLValue]) throws(StorageError) {
    types = arguments.map(\.postgresType)
    for argument in arguments {
      let offset = bytes.count
      let isValue = try argument.appendBinary(to: &bytes)
      offsets.append(isValue ? offset : -1)
      lengths.append(Int32(clamping: bytes.count - offset))
      formats.append(1)
    }
  }

  var count: Int { offsets.count }

  /// The form that libpq takes; the pointers are valid inside `body`.
  func withPointers<Result>(
    _ body: (
      UnsafePointer<UInt32>?, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?,
      UnsafePointer<Int32>?
    ) -> Result
  ) -> Result {
    bytes.withUnsafeBytes { buffer in
      // An empty value needs an address too: without one it would be NULL.
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1) { empty in
        let start =
          buffer.bindMemory(to: CChar.self).baseAddress ?? UnsafePointer(empty.baseAddress)
        let values = offsets.map { $0 < 0 ? nil : start.map { [offset = $0] in $0 + offset } }
        return body(types, values, lengths, formats)
      }
    }
  }
}
