internal import CPostgres
internal import Foundation
internal import Storage
internal import Synchronization

/// One connection of libpq: the only place of its handle. Confined to one thread at a time: the one
/// that connects, then the engine's.
// Sendable: it is handed over once, from the thread that connected to the engine's, by a mailbox.
final class PostgresLink: @unchecked Sendable {
  /// Owned: finished in `close`, or in `deinit` at the latest.
  private var handle: OpaquePointer?
  private let warnings = Warnings()

  /// Connects and waits: on a thread that may block (names are looked up, several hosts tried).
  ///
  /// - Parameter place: the one host and port to try; else those of the URL, in its order, up to
  ///   one that takes writes.
  /// - Throws: `StorageError.unreachable`, `.address`.
  init(url: String, options: PostgresOptions, at place: Place? = nil) throws(StorageError) {
    // Of a keyword that occurs twice the last counts: what is before the URL is a default.
    var settings: [(String, String)] = [
      ("connect_timeout", "2"), ("tcp_user_timeout", "3000"), ("keepalives_idle", "5"),
      ("keepalives_interval", "2"), ("keepalives_count", "3"), ("application_name", "yijia"),
      ("dbname", url), ("target_session_attrs", "read-write"), ("client_encoding", "UTF8"),
    ]
    if let place {
      settings += [
        ("host", place.host), ("port", place.port), ("target_session_attrs", "any"),
      ]
    }
    let keys = settings.map { strdup($0.0) } + [nil]
    let values = settings.map { strdup($0.1) } + [nil]
    defer { for text in keys + values { free(text) } }
    handle = PQconnectdbParams(
      keys.map { UnsafePointer($0) }, values.map { UnsafePointer($0) }, 1)
    guard PQstatus(handle) == CONNECTION_OK else { throw .unreachable(.init(message)) }
    // The receiver's argument is owned by this object, which outlives the handle.
    PQsetNoticeReceiver(
      handle, { Warnings.receive($0, $1) }, Unmanaged.passUnretained(warnings).toOpaque())
  }

  /// Where a connection leads.
  struct Place: Sendable {
    let host: String
    let port: String
    /// The server's process behind it.
    let process: Int32

    func isSameServer(as other: Place) -> Bool { (host, port) == (other.host, other.port) }
  }

  /// Where this one leads.
  var place: Place {
    Place(
      host: PQhost(handle).map { String(cString: $0) } ?? "",
      port: PQport(handle).map { String(cString: $0) } ?? "", process: PQbackendPID(handle))
  }

  /// The server's last warning since the last call.
  func takeWarning() -> String? { warnings.takeLast() }

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

  /// How long a call waits for its answer before `stillWorks` is asked; `nil`: as long as it takes.
  var answerMax: Duration?
  /// Whether the server is still at it, so that waiting on makes sense.
  var stillWorks: () -> Bool = { false }

  /// Runs a text of several statements, and waits.
  func run(_ sql: String) throws(StorageError) {
    _ = try answer(to: sql, isSent: PQsendQuery(handle, sql) == 1)
  }

  /// Runs a statement, and waits for its rows.
  func rows(_ sql: String, _ arguments: [SQLValue] = []) throws(StorageError) -> [Row] {
    let (text, _) = try PostgresText.statement(sql)
    let parameters = try Parameters(arguments)
    let isSent = parameters.withPointers { types, values, lengths, formats in
      PQsendQueryParams(handle, text, Int32(arguments.count), types, values, lengths, formats, 1)
    }
    return try answer(to: sql, isSent: isSent == 1).rows()
  }

  /// The last result of what was sent, or the first that failed.
  private func answer(to sql: String, isSent: Bool) throws(StorageError) -> PostgresResult {
    var last: PostgresResult?
    while isSent {
      try awaitResult()
      guard let result = nextResult() else { break }
      if case .failed = last?.status { continue }
      last = result
    }
    guard let last else { throw .unreachable(.init(message)) }
    guard case .failed(let error) = last.status else { return last }
    throw isLost ? .unreachable(.init(message)) : error.storageError(sql: sql)
  }

  private func awaitResult() throws(StorageError) {
    var end = answerMax.map { ContinuousClock.now + $0 }
    while !hasResult {
      if let passed = end, let answerMax, ContinuousClock.now > passed {
        guard stillWorks() else { throw .unreachable(.init("no answer in time")) }
        end = .now + answerMax
      }
      var wait = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      _ = poll(&wait, 1, 100)
      guard wait.revents == 0 || receive() else { throw .unreachable(.init(message)) }
    }
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

/// What the server says beside its answers. Confined to the thread that uses the connection.
private final class Warnings {
  private var last: String?

  func takeLast() -> String? {
    defer { last = nil }
    return last
  }

  /// Notices are for people; libpq would print them.
  static func receive(_ argument: UnsafeMutableRawPointer?, _ result: OpaquePointer?) {
    guard let argument,
      let severity = PQresultErrorField(result, Int32(UInt8(ascii: "V"))),
      strcmp(severity, "WARNING") == 0
    else { return }
    let text = PQresultErrorField(result, Int32(UInt8(ascii: "M"))).map { String(cString: $0) }
    Unmanaged<Warnings>.fromOpaque(argument).takeUnretainedValue().last = text ?? ""
  }
}

/// A request to end what a connection runs.
// Sendable: libpq's object for it never changes, and may be used from any thread.
final class Canceller: @unchecked Sendable {
  /// Owned: freed in `deinit`.
  private let handle: OpaquePointer
  private let isAsking = Atomic(false)

  init(_ handle: OpaquePointer) {
    self.handle = handle
  }

  /// No request of it is on its way. One to a machine that hangs is until that is over, and holds
  /// its thread: a second would be lost like it.
  var isFree: Bool { !isAsking.load(ordering: .relaxed) }

  deinit {
    PQfreeCancel(handle)
  }

  /// Connects, asks, and waits.
  func cancel() {
    guard !isAsking.exchange(true, ordering: .relaxed) else { return }
    defer { isAsking.store(false, ordering: .relaxed) }
    var reason = [CChar](repeating: 0, count: 256)
    _ = PQcancel(handle, &reason, Int32(reason.count))
  }
}

/// Arguments in binary form, one after the other in one buffer.
struct Parameters {
  private var bytes: [UInt8] = []
  /// Of each; -1 is NULL.
  private var lengths: [Int32] = []
  let types: [UInt32]

  /// Every argument is in binary form: the same list for all statements.
  private static let formats = [Int32](repeating: 1, count: 256)

  init(_ arguments: [SQLValue]) throws(StorageError) {
    types = arguments.map(\.postgresType)
    lengths.reserveCapacity(arguments.count)
    bytes.reserveCapacity(16 * arguments.count)
    for argument in arguments {
      let offset = bytes.count
      let isValue = try argument.appendBinary(to: &bytes)
      lengths.append(isValue ? Int32(clamping: bytes.count - offset) : -1)
    }
  }

  var count: Int { lengths.count }

  /// The form that libpq takes; the pointers are valid inside `body`.
  func withPointers<Result>(
    _ body: (
      UnsafePointer<UInt32>?, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?,
      UnsafePointer<Int32>?
    ) -> Result
  ) -> Result {
    let count = count
    let formats =
      count <= Self.formats.count ? Self.formats : [Int32](repeating: 1, count: count)
    return bytes.withUnsafeBytes { buffer in
      // An empty value needs an address too: without one it would be NULL.
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1) { empty in
        withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: count) { values in
          var next =
            buffer.bindMemory(to: CChar.self).baseAddress ?? UnsafePointer(empty.baseAddress)
          for index in 0..<count {
            values.initializeElement(at: index, to: lengths[index] < 0 ? nil : next)
            next = next.map { $0 + Int(max(0, lengths[index])) }
          }
          return body(types, values.baseAddress, lengths, formats)
        }
      }
    }
  }
}
