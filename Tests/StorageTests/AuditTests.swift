import Foundation
import Storage
import TestStores
import Testing

@Suite("Audit chain", .timeLimit(.minutes(2)))
struct AuditTests {
  /// Writes `count` entries, several per commit, and passes on the store.
  func withLog(
    _ engine: Engine, count: Int = 12, _ body: (any Database, String) async throws -> Void
  ) async throws {
    try await engine.withDatabase { database in
      for index in 0..<(count / 3) {
        let entries = (0..<3).map { Notes.audit("\(index).\($0)") }
        try await database.write(Commit(at: now, audit: entries))
      }
      let report = try await database.verifyAudit()
      #expect(report.isIntact)
      #expect(report.rows == count)
      try await body(database, report.heads[0].chain)
    }
  }

  func run(_ database: any Database, _ statements: String...) async throws {
    let x = Array("x".utf8)
    let statements = statements.map { Statement($0, $0.contains("?1") ? [x] : []) }
    try await database.write(Commit(at: now, statements: statements))
  }

  @Test("an empty log is intact", arguments: Engine.allCases)
  func empty(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      let report = try await database.verifyAudit()
      #expect(report == AuditReport(rows: 0, heads: [], problem: nil))
    }
  }

  @Test(
    "a log longer than a page, of many writers and reopenings, is intact",
    arguments: Engine.allCases)
  func long(_ engine: Engine) async throws {
    try await engine.withStore { store in
      for round in 1...3 {
        try await store.withNotes { database in
          try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<500 {
              group.addTask {
                try await database.write(Commit(at: now, audit: [Notes.audit("\(index)")]))
              }
            }
            // Verified while writers continue.
            #expect(try await database.verifyAudit().isIntact)
            try await group.waitForAll()
          }
          let report = try await database.verifyAudit()
          #expect(report.isIntact)
          #expect(report.rows == 500 * round)
        }
      }
    }
  }

  @Test("a change of any column of any row is found and located", arguments: Engine.allCases)
  func altered(_ engine: Engine) async throws {
    let changes = [
      "time = time + 1", "actor = 'x'", "action = 'x'", "target = 'x'", "reason = 'x'",
      "detail = ?1", "hash = ?1",
      "actor = 'tests', action = '/onenotes.write'",
    ]
    for (index, change) in changes.enumerated() {
      try await withLog(engine) { database, chain in
        let row = [1, 5, 12][index % 3]
        try await run(database, "UPDATE storage_audit SET \(change) WHERE sequence = \(row)")
        let problem = try await database.verifyAudit().problem
        #expect(problem == .init(chain: chain, sequence: Int64(row), kind: .altered), "\(change)")
      }
    }
  }

  @Test(
    "missing, swapped, truncated and forged rows are found and located", arguments: Engine.allCases)
  func structure(_ engine: Engine) async throws {
    let cases: [(String, Int64, AuditReport.Problem.Kind)] = [
      ("DELETE FROM storage_audit WHERE sequence = 1", 1, .missing),
      ("DELETE FROM storage_audit WHERE sequence = 7", 7, .missing),
      ("DELETE FROM storage_audit WHERE sequence = 12", 12, .truncated),
      ("DELETE FROM storage_audit WHERE sequence > 4", 5, .truncated),
      ("DELETE FROM storage_audit", 1, .truncated),
      (
        """
        UPDATE storage_audit SET sequence = CASE sequence WHEN 3 THEN -4 ELSE -3 END
        WHERE sequence IN (3, 4);
        """, 3, .altered
      ),
      (
        """
        INSERT INTO storage_audit SELECT chain, 13, time, actor, action, target, reason, detail,
        hash FROM storage_audit WHERE sequence = 12
        """, 13, .unheaded
      ),
      ("DELETE FROM storage_audit_head", 1, .unheaded),
      ("UPDATE storage_audit_head SET hash = ?1", 12, .altered),
    ]
    for (sql, sequence, kind) in cases {
      try await withLog(engine) { database, chain in
        try await run(database, sql)
        try await run(
          database, "UPDATE storage_audit SET sequence = -sequence WHERE sequence < 0")
        let problem = try await database.verifyAudit().problem
        #expect(problem == .init(chain: chain, sequence: sequence, kind: kind), "\(sql)")
      }
    }
  }

  @Test("heads with any numbers are found to be wrong", arguments: Engine.allCases)
  func numbers(_ engine: Engine) async throws {
    try await withLog(engine) { database, _ in
      let end = Int64.max
      try await run(
        database,
        "INSERT INTO storage_audit_head SELECT 'a second', \(end), hash FROM storage_audit_head")
      try await run(database, "UPDATE storage_audit_head SET sequence = \(end)")
      #expect(try await database.verifyAudit().problem?.kind == .truncated)
    }
  }

  @Test("an entry inserted between two pages is found", arguments: Engine.allCases)
  func slippedIn(_ engine: Engine) async throws {
    for sequence in [-1, 1_000] where sequence < 0 || engine == .postgres {
      try await engine.withDatabase { database in
        for _ in 0..<3 {
          let entries = (0..<500).map { Notes.audit("\($0)") }
          try await database.write(Commit(at: now, audit: entries))
        }
        try await run(
          database,
          """
          INSERT INTO storage_audit SELECT chain, \(sequence), time + 1, actor, 'x', target, reason,
          detail, hash FROM storage_audit WHERE sequence = 1000
          """)
        #expect(try await !database.verifyAudit().isIntact, "\(sequence)")
      }
    }
  }

  @Test(
    "a chain that was removed entirely is missed",
    .enabled(if: Engine.allCases.contains(.postgres)))
  func taken() async throws {
    try await Engine.postgres.withStore { store in
      for index in 0..<3 {
        try await store.with { database in
          try await database.write(Commit(at: now, audit: [Notes.audit("\(index)")]))
        }
      }
      try await store.with { database in
        let report = try await database.verifyAudit()
        #expect(report.isIntact)
        #expect(report.heads.count == 3)
        let target = try await database.read(
          .one("SELECT chain FROM storage_audit WHERE target = 'notes/0'") { try $0.text("chain") })
        for table in ["storage_audit", "storage_audit_head"] {
          try await run(database, "DELETE FROM \(table) WHERE chain = '\(target)'")
        }
        #expect(try await database.verifyAudit().problem?.kind == .unaccompanied)
      }
    }
  }

  @Test("a log that was removed entirely, with its heads, is missed", arguments: Engine.allCases)
  func emptied(_ engine: Engine) async throws {
    for more in ["SELECT 1", "DELETE FROM storage_meta WHERE name = 'audit_chains'"] {
      try await withLog(engine) { database, _ in
        try await run(
          database, "DELETE FROM storage_audit", "DELETE FROM storage_audit_head", more)
        let report = try await database.verifyAudit()
        #expect(report.problem == .init(chain: "", sequence: 1, kind: .unaccompanied))
        #expect(report.summary.hasPrefix("NOT intact"))
      }
    }
  }

  @Test(
    "a noted head reveals a log that was truncated together with its head",
    arguments: Engine.allCases)
  func anchors(_ engine: Engine) async throws {
    try await withLog(engine) { database, chain in
      let noted = try await database.verifyAudit().heads
      #expect(try await database.verifyAudit(anchors: noted).isIntact)
      try await run(
        database, "DELETE FROM storage_audit WHERE sequence > 6",
        """
        UPDATE storage_audit_head SET sequence = 6,
        hash = (SELECT hash FROM storage_audit WHERE sequence = 6)
        """)
      #expect(try await database.verifyAudit().isIntact)
      let problem = try await database.verifyAudit(anchors: noted).problem
      #expect(problem == .init(chain: chain, sequence: 7, kind: .truncated))
      try await run(database, "DELETE FROM storage_audit", "DELETE FROM storage_audit_head")
      #expect(try await database.verifyAudit(anchors: noted).problem?.kind == .truncated)
    }
  }

  @Test("a refused write leaves no entry and no gap", arguments: Engine.allCases)
  func refused(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      for index in 0..<20 {
        let body = index.isMultiple(of: 2) ? "same" : "\(index)"
        let commit = Commit(
          at: now, statements: [Notes.insert("\(index)", body: body)],
          events: [Notes.event("\(index)")], audit: [Notes.audit("\(index)")])
        if index > 0 && index.isMultiple(of: 2) {
          await #expect(throws: StorageError.self) { try await database.write(commit) }
        } else {
          try await database.write(commit)
        }
      }
      let report = try await database.verifyAudit()
      #expect(report.isIntact)
      #expect(report.rows == 11)
      let positions = try await database.feed(after: .start).map(\.cursor.position)
      #expect(positions == Array(1...11))
    }
  }
}
