import Foundation
import Storage
import TestStores
import TestWaiting
import Testing

@testable import StoragePostgres

@Suite("PostgreSQL, answers cut off", .enabled(if: Engine.allCases.contains(.postgres)))
struct PostgresCutTests {
  /// The key of the row in whose middle the connection ends.
  private static let key = "the-row-that-is-cut"

  /// After a failed write libpq reads, without parsing anything, until it notices the end. Then it
  /// has forgotten which commands it sent: it takes the columns of the cut answer for the whole
  /// result of a command.
  @Test("what was buffered of an answer when its connection broke is not taken for the answer")
  func head() async throws {
    try await withGate { gate, url in
      let (link, _) = try PostgresSession.open(url, PostgresOptions(), .reader)
      let line = ReadLine(link)
      let first = ReadJob([AnyQuery(Notes.byID("a"))], arrival: .now) { _ in }
      line.send([first])
      // The second answer has no preparation before it.
      try await eventually {
        line.pipeline.flush()
        return line.receive().isEmpty && first.isDone
      }
      var answers = 0
      let second = ReadJob([AnyQuery(Notes.byID(Self.key))], arrival: .now) { _ in answers += 1 }
      line.send([second])
      line.pipeline.flush()
      try await eventually { Self.hasEnded(link) }
      #expect(gate.hasCut)
      #expect(link.receive())
      #expect(line.receive().isEmpty)
      #expect(line.pipeline.isLost)
      #expect(answers == 0)
      #expect(line.abandon().map(ObjectIdentifier.init) == [ObjectIdentifier(second)])
    }
  }

  @Test("a read whose answer is cut off is answered over another connection")
  func another() async throws {
    try await withGate { gate, url in
      let database = try await PostgresDatabase.open(url: url)
      let note = try await database.read(Notes.byID(Self.key))
      #expect(gate.hasCut)
      #expect(note?.id == Self.key)
      await database.close()
    }
  }

  @Test("a read whose answer is cut off is unavailable while there is no other connection")
  func none() async throws {
    try await withGate { gate, url in
      var options = PostgresOptions()
      options.outageMax = .milliseconds(100)
      let database = try await PostgresDatabase.open(url: url, options: options)
      // Once it answers, the connection is there that is cut; that may take a busy machine a while.
      try await eventually { (try? await database.read(Notes.byID("a")))?.id == "a" }
      gate.close()
      let error = await #expect(throws: StorageError.self) {
        try await database.read(Notes.byID(Self.key))
      }
      #expect(gate.hasCut)
      if case .unreachable = error {} else { Issue.record("\(error?.debugDetail ?? "no error")") }
      await database.close()
    }
  }

  /// Runs with a store of two notes, which the URL reaches only by the gate.
  private func withGate(_ body: (Gate, String) async throws -> Void) async throws {
    try await Engine.postgres.withStore { store in
      try await store.withNotes { database in
        try await database.write(
          Commit(at: now, statements: [Notes.insert("a"), Notes.insert(Self.key)]))
        let server = UInt16(try #require(URL(string: store.url)?.port))
        let gate = try Gate(to: server, cuttingAnswerAt: Self.key)
        defer { gate.close() }
        try await body(gate, store.url.replacing(":\(server)/", with: ":\(gate.port)/"))
      }
    }
  }

  /// Whether the end of the connection has arrived, with everything before it.
  private static func hasEnded(_ link: PostgresLink) -> Bool {
    // `POLLRDHUP`, which Swift does not import.
    let end: Int16 = 0x2000
    var wait = pollfd(fd: link.socket, events: end, revents: 0)
    return poll(&wait, 1, 0) == 1 && wait.revents & end != 0
  }
}
