import Foundation
import Storage
import Synchronization
import TestStores
import TestWaiting
import Testing

@testable import StoragePostgres

@Suite("PostgreSQL, several hosts", .enabled(if: Engine.allCases.contains(.postgres)))
struct PostgresFailoverTests {
  @Test("when writes move to another host, reads follow, and the old host is not used any more")
  func readsFollow() async throws {
    try await withGate { database, gate, store in
      try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      let before = try await database.read(Self.process)
      gate.close()
      let link = try PostgresLink(url: store.url, options: PostgresOptions())
      defer { link.close() }
      _ = try link.rows(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = current_setting('application_name')
          AND pid NOT IN (?1, pg_backend_pid())
        """, [.integer(before)])
      try await insist {
        try await database.write(Commit(at: now, statements: [Notes.insert("b")]))
      }
      #expect(try await database.read(Self.process) != before)
    }
  }

  @Test("a reading connection that reaches another host late aborts no commit")
  func lateReader() async throws {
    try await withGate { database, gate, store in
      let link = try PostgresLink(url: store.url, options: PostgresOptions())
      defer { link.close() }
      // Commits wait for this connection.
      try link.run(
        """
        CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON note
          DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
        SELECT pg_advisory_lock(42);
        """)
      let reader = try await database.read(Self.process)
      gate.close()
      let write = Task {
        try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      }
      try await eventually {
        try link.rows(
          """
          SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted
          """
        ).count == 1
      }
      _ = try link.rows("SELECT pg_terminate_backend(CAST(?1 AS INTEGER))", [.integer(reader)])
      // The connection reaches the server itself now, and is refused.
      _ = try? await database.read(Self.process)
      try link.run("SELECT pg_advisory_unlock(42)")
      try await write.value
    }
  }

  /// Runs with a store that is reached by two hosts: the gate is the first, and is used while it is
  /// open.
  private func withGate(
    _ body: (PostgresDatabase, Gate, TestStore) async throws -> Void
  ) async throws {
    try await Engine.postgres.withStore { store in
      let server = try #require(URL(string: store.url))
      let gate = try Gate(to: UInt16(server.port ?? 5432))
      defer { gate.close() }
      let database = try await PostgresDatabase.open(
        url: store.url.replacing("@", with: "@127.0.0.1:\(gate.port),"))
      try await database.migrate(Notes.migrations)
      try await body(database, gate, store)
      await database.close()
    }
  }

  /// The process id of the server's backend that reads.
  private static let process = Query<Int64>.one("SELECT pg_backend_pid() AS id") {
    try $0.integer("id")
  }
}

/// A TCP proxy in front of the server; once closed it accepts no more connections, and keeps the
/// existing ones.
private final class Gate: Sendable {
  let port: UInt16
  private let listener: Int32
  private let isOpen = Mutex(true)

  init(to server: UInt16) throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    try #require(Self.with(0) { bind(listener, $0, $1) } == 0 && listen(listener, 16) == 0)
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getsockname(listener, $0, &length)
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    self.listener = listener
    Thread.detachNewThread {
      while true {
        let client = accept(listener, nil, nil)
        if client < 0 { return }
        let behind = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        _ = Self.with(server) { connect(behind, $0, $1) }
        for (from, to) in [(client, behind), (behind, client)] {
          Thread.detachNewThread { Self.pass(from, to) }
        }
      }
    }
  }

  func close() {
    isOpen.withLock { isOpen in
      if isOpen { shutdown(listener, Int32(SHUT_RDWR)) }
      isOpen = false
    }
  }

  /// Each direction has its own thread; both ends stay open until the process ends, or the other
  /// side closes.
  private static func pass(_ from: Int32, _ to: Int32) {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(from, &bytes, bytes.count)
      if count <= 0 { break }
      var sent = 0
      while sent < count {
        let more = bytes[sent..<count].withUnsafeBytes { write(to, $0.baseAddress, $0.count) }
        if more <= 0 { break }
        sent += more
      }
    }
    shutdown(to, Int32(SHUT_WR))
  }

  /// The socket address of a port of the loopback interface.
  private static func with<Result>(
    _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
}
