internal import CPostgres
internal import Foundation
internal import Storage
internal import Synchronization

/// A libpq connection, sole owner of its handle. Confined to one thread at a time: the connecting
/// one, then whichever drives the engine's loop.
// Guard: handed over by the connecting thread through the engine's mailbox (lock); from then on
// touched by whoever drives the loop, which changes hands under the lock of the loan.
final class PostgresLink: @unchecked Sendable {
  /// The owned handle, released in `close` or in `deinit`.
  private var handle: OpaquePointer?
  private let warnings = Warnings()

  /// Checks what can be known without a server: that there is libpq, and that it can read the URL.
  ///
  /// - Throws: `StorageError.unreachable` where there is no libpq; `.address`, which does not quote
  ///   the URL.
  static func check(_ url: String) throws(StorageError) {
    if let problem = yijia_load_libpq() {
      let reason = String(cString: problem)
      throw .unreachable(.init("PostgreSQL needs libpq (Debian: libpq5): \(reason)"))
    }
    var message: UnsafeMutablePointer<CChar>?
    let options = PQconninfoParse(url, &message)
    defer {
      PQconninfoFree(options)
      PQfreemem(message)
    }
    guard options == nil else { return }
    // libpq quotes the whole of a URL that it cannot read, with the password.
    let text = (message.map { String(cString: $0) } ?? "out of memory").replacing(url, with: "…")
    throw .address(.init(text.trimmingCharacters(in: .whitespacesAndNewlines)))
  }

  /// Connects. Blocks the calling thread (name resolution, several hosts).
  ///
  /// - Parameter place: The only host and port to try; `nil` for those of the URL, in order, until
  ///   one accepts writes.
  /// - Throws: `StorageError.unreachable`, and as `check`.
  init(url: String, options: PostgresOptions, at place: Place? = nil) throws(StorageError) {
    try Self.check(url)
    // The last of repeated keywords wins: entries before the URL are defaults.
    var settings: [(String, String)] = [
      ("connect_timeout", "2"), ("tcp_user_timeout", "3000"), ("keepalives_idle", "5"),
      ("keepalives_interval", "2"), ("keepalives_count", "3"), ("application_name", "yijia"),
      ("dbname", url), ("target_session_attrs", "read-write"), ("client_encoding", "UTF8"),
    ]
    if let place {
      settings += [
        ("host", place.host), ("hostaddr", place.address), ("port", place.port),
        ("target_session_attrs", "any"),
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

  /// The remote end of a connection.
  struct Place: Sendable {
    let host: String
    /// The numeric address; empty for a local socket. Without it the addresses of the URL
    /// (`hostaddr`), as many as its hosts, would stay beside the one host.
    let address: String
    let port: String
    /// The process id of the server backend.
    let process: Int32
    /// When the server started, in microseconds: see `serverStart`.
    let serverStart: Int64

    /// Whether both are certainly connections to one server. One server under two names is taken
    /// for two, which costs a reconnection only.
    func isSameServer(as other: Place) -> Bool {
      (host, port, serverStart) == (other.host, other.port, other.serverStart)
    }
  }

  /// When the server started, in microseconds; set before the link is handed over, 0 until then.
  ///
  /// It distinguishes servers that take turns behind one name (DNS, a proxy, a moving address),
  /// as the system identifier does not, which a standby has in common with its primary.
  var serverStart: Int64 = 0

  /// The remote end of this connection.
  var place: Place {
    Place(
      host: PQhost(handle).map { String(cString: $0) } ?? "",
      address: PQhostaddr(handle).map { String(cString: $0) } ?? "",
      port: PQport(handle).map { String(cString: $0) } ?? "", process: PQbackendPID(handle),
      serverStart: serverStart)
  }

  /// Returns the server's last warning since the last call.
  func takeWarning() -> String? { warnings.takeLast() }

  deinit {
    close()
  }

  /// Closes the connection. Idempotent.
  func close() {
    if let handle { PQfinish(handle) }
    handle = nil
  }

  /// The connection's last error message.
  var message: String {
    let text = PQerrorMessage(handle).map { String(cString: $0) } ?? "no connection"
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  var isLost: Bool { PQstatus(handle) != CONNECTION_OK }
  var socket: Int32 { PQsocket(handle) }

  // MARK: Blocking calls, outside of the engine's loop

  /// How long a call waits for its answer before it calls `stillWorks`; `nil` for no limit.
  var answerMax: Duration?
  /// Returns whether the server is still working on the call, so that waiting can continue.
  var stillWorks: () -> Bool = { false }

  /// Executes a text of several statements and waits for the result.
  func run(_ sql: String) throws(StorageError) {
    _ = try answer(to: sql, isSent: PQsendQuery(handle, sql) == 1)
  }

  /// Executes a statement and waits for its rows.
  func rows(_ sql: String, _ arguments: [SQLValue] = []) throws(StorageError) -> [Row] {
    let (text, _) = try PostgresText.statement(sql)
    let parameters = try Parameters(arguments)
    let isSent = parameters.withPointers { types, values, lengths, formats in
      PQsendQueryParams(handle, text, Int32(arguments.count), types, values, lengths, formats, 1)
    }
    return try answer(to: sql, isSent: isSent == 1).rows()
  }

  /// Returns the last result of the sent command, or the first failed one.
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

  // MARK: Pipeline mode, for whoever drives the engine's loop

  /// Enters nonblocking pipeline mode.
  func enterPipeline() throws(StorageError) {
    guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else {
      throw .unreachable(.init(message))
    }
  }

  /// Queues the preparation of a statement; returns false if the connection is lost.
  func prepare(_ name: String, _ sql: String, types: [UInt32]) -> Bool {
    PQsendPrepare(handle, name, sql, Int32(types.count), types) == 1
  }

  /// Queues the execution of a prepared statement; returns false if the connection is lost.
  func execute(_ name: String, _ parameters: Parameters) -> Bool {
    parameters.withPointers { _, values, lengths, formats in
      PQsendQueryPrepared(
        handle, name, Int32(parameters.count), values, lengths, formats, 1) == 1
    }
  }

  /// Queues an unprepared statement; returns false if the connection is lost.
  func runUnprepared(_ sql: String) -> Bool {
    PQsendQueryParams(handle, sql, 0, nil, nil, nil, nil, 1) == 1
  }

  /// Queues a sync message; returns false if the connection is lost.
  func sync() -> Bool { PQpipelineSync(handle) == 1 }

  /// Sends queued data. Returns whether some are left, `nil` if the connection is lost.
  func flush() -> Bool? {
    switch PQflush(handle) {
    case 0: false
    case 1: true
    default: nil
    }
  }

  /// Reads available data; returns false if the connection is lost.
  func receive() -> Bool { PQconsumeInput(handle) == 1 }

  /// Whether the next result is available without blocking.
  var hasResult: Bool { PQisBusy(handle) == 0 }

  /// Returns the next result; `nil` after the last one of a command.
  func nextResult() -> PostgresResult? { PQgetResult(handle).map { PostgresResult($0) } }

  /// Returns whether notifications arrived since the last call.
  func takeNotifications() -> Bool {
    var isTold = false
    while let notification = PQnotifies(handle) {
      isTold = true
      PQfreemem(notification)
    }
    return isTold
  }

  /// Returns an object that cancels the running statement, usable from any thread.
  func canceller() -> Canceller? { PQgetCancel(handle).map { Canceller($0) } }
}

/// The server's warnings. Confined to the thread that uses the connection.
private final class Warnings {
  private var last: String?

  func takeLast() -> String? {
    defer { last = nil }
    return last
  }

  /// libpq's notice receiver; the default one prints. Ignores notices below warnings.
  static func receive(_ argument: UnsafeMutableRawPointer?, _ result: OpaquePointer?) {
    guard let argument,
      let severity = PQresultErrorField(result, Int32(UInt8(ascii: "V"))),
      strcmp(severity, "WARNING") == 0
    else { return }
    let text = PQresultErrorField(result, Int32(UInt8(ascii: "M"))).map { String(cString: $0) }
    Unmanaged<Warnings>.fromOpaque(argument).takeUnretainedValue().last = text ?? ""
  }
}

/// A request to cancel the running statement of a connection.
// Guard: libpq's object is immutable, and safe to use from any thread.
final class Canceller: @unchecked Sendable {
  /// The owned handle, freed in `deinit`.
  private let handle: OpaquePointer
  private let isAsking = Atomic(false)

  init(_ handle: OpaquePointer) {
    self.handle = handle
  }

  /// Whether no request is running. A request to a hung machine blocks its thread until it times
  /// out; a second one would be lost, too.
  var isFree: Bool { !isAsking.load(ordering: .relaxed) }

  deinit {
    PQfreeCancel(handle)
  }

  /// Connects to the server, requests the cancellation, and waits.
  func cancel() {
    guard !isAsking.exchange(true, ordering: .relaxed) else { return }
    defer { isAsking.store(false, ordering: .relaxed) }
    var reason = [CChar](repeating: 0, count: 256)
    _ = PQcancel(handle, &reason, Int32(reason.count))
  }
}

/// The arguments of a statement in binary format, concatenated in one buffer.
struct Parameters {
  private var bytes: [UInt8] = []
  /// The length of each argument; -1 for NULL.
  private var lengths: [Int32] = []
  let types: [UInt32]

  /// Shared by all statements, because every argument is in binary format (1).
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

  /// Calls `body` with the arrays that libpq expects; the pointers are valid during the call only.
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
      // A null pointer means NULL, so an empty value needs an address, too.
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
