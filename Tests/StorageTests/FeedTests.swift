import Foundation
import Storage
import TestStores
import Testing

@Suite("Feeds", .timeLimit(.minutes(2)))
struct FeedTests {
  func emit(
    _ database: any Database, _ ids: [String], audience: String? = nil, at time: Date = now
  ) async throws {
    let events = ids.map { Notes.event($0, audience: audience) }
    try await database.write(Commit(at: time, events: events))
  }

  @Test("events are in commit order, complete, from any cursor", arguments: Engine.allCases)
  func order(_ engine: Engine) async throws {
    try await engine.withStore { store in
      var cursor = FeedCursor.start
      try await store.withNotes { database in
        try await emit(database, ["a", "b"])
        try await emit(database, ["c"])
        let events = try await database.feed(after: .start)
        #expect(events.map(\.entity) == ["notes/a", "notes/b", "notes/c"])
        #expect(events[0].payload == Array("a".utf8))
        #expect(events[0].time == now)
        #expect(try await database.feed(after: .start, limit: 2).count == 2)
        cursor = try FeedCursor(text: events[1].cursor.text)
        #expect(cursor == events[1].cursor)
        #expect(try await database.feedEnd() == events[2].cursor)
      }
      try await store.withNotes { database in
        try await emit(database, ["d"])
        let events = try await database.feed(after: cursor)
        #expect(events.map(\.entity) == ["notes/c", "notes/d"])
      }
    }
  }

  @Test("versions of an entity are in order under concurrent writers", arguments: Engine.allCases)
  func versions(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      try await database.write(Commit(at: now, statements: [Notes.insert("a")]))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<200 {
          group.addTask {
            try await database.write {
              Step<Void>.read(Notes.byID("a")) { note in
                let version = (note?.version ?? 0) + 1
                var commit = Commit(at: now, events: [Notes.event("a", version: version)])
                commit.run(
                  "UPDATE note SET version = ?1 WHERE id = 'a' AND version = ?2",
                  [version, version - 1], expects: .exactly(1))
                return .commit(commit, ())
              }
            }
          }
        }
        try await group.waitForAll()
      }
      let versions = try await database.feed(after: .start).map(\.version)
      #expect(versions == Array(2...201))
    }
  }

  @Test("an audience sees only its own events", arguments: Engine.allCases)
  func audience(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      try await emit(database, ["a"], audience: "partners/x")
      try await emit(database, ["b"], audience: "partners/y")
      try await emit(database, ["c"])
      let events = try await database.feed(after: .start, audience: "partners/x")
      #expect(events.map(\.entity) == ["notes/a"])
    }
  }

  @Test("a follower gets existing and new events, once each", arguments: Engine.allCases)
  func follows(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      let total = Limits.eventsPerRead + 50
      try await emit(database, (0..<total).map { "\($0)" })
      let follower = Task {
        var seen: [String] = []
        for try await event in database.follow(after: .start) {
          seen.append(String(decoding: event.payload, as: UTF8.self))
          if seen.count == total + 100 { break }
        }
        return seen
      }
      for index in total..<(total + 100) { try await emit(database, ["\(index)"]) }
      #expect(try await follower.value == (0..<(total + 100)).map { "\($0)" })
    }
  }

  @Test("a follower ends when the store closes", arguments: Engine.allCases)
  func ends(_ engine: Engine) async throws {
    try await engine.withStore { store in
      let database = try await store.open()
      let follower = Task {
        var count = 0
        for try await _ in database.follow(after: .start) { count += 1 }
        return count
      }
      try await emit(database, ["a"])
      await database.close()
      let result = await follower.result
      switch result {
      case .success(let count): #expect(count <= 1)
      case .failure(let error): #expect(error as? StorageError == .closed)
      }
    }
  }

  @Test("a cursor of another feed or epoch is refused", arguments: Engine.allCases)
  func foreign(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      try await emit(database, ["a"])
      await #expect(throws: StorageError.foreignCursor) {
        try await database.feed(after: FeedCursor(epoch: 1, position: 0))
      }
      // As in an earlier copy of the store's file.
      let end = try await database.feedEnd()
      #expect(try await database.feed(after: end).isEmpty)
      await #expect(throws: StorageError.foreignCursor) {
        try await database.feed(after: FeedCursor(epoch: end.epoch, position: end.position + 1))
      }
    }
    for text in ["1", "x.1", "1.x", "-1.2", "1.-2", "1.2.3", "1.2.kept.kept", " 1.2"] {
      #expect(throws: StorageError.foreignCursor) { try FeedCursor(text: text) }
    }
    #expect(try FeedCursor(text: "") == .start)
  }

  @Test(
    "purged events expire their cursors, and positions are not reused",
    arguments: Engine.allCases)
  func purge(_ engine: Engine) async throws {
    try await engine.withStore { store in
      var first = FeedCursor.start
      var last = FeedCursor.start
      try await store.withNotes { database in
        try await emit(database, ["a", "b"], at: now.addingTimeInterval(-10))
        let events = try await database.feed(after: .start)
        (first, last) = (events[0].cursor, events[1].cursor)
        #expect(try await database.purgeFeed(before: now) == 2)
        #expect(try await database.feed(after: .start) == [])
        #expect(try await database.feed(after: last) == [])
        #expect(try await database.feedEnd() == last)
        await #expect(throws: StorageError.expiredCursor) { try await database.feed(after: first) }
      }
      try await store.withNotes { database in
        try await emit(database, ["c"])
        #expect(try await database.feed(after: last).map(\.entity) == ["notes/c"])
      }
    }
  }

  /// Purges what is older than so many seconds after `now`, with those current versions.
  private func purge(
    _ database: any Database, _ seconds: Double, _ versions: [String: Int64]
  ) async throws {
    _ = try await database.purgeFeed(before: now + seconds) { _ in .constant(versions) }
  }

  /// Purges with the last event of every note kept.
  private func purge(_ database: any Database, before time: Date, versions: Int64) async throws {
    _ = try await database.purgeFeed(before: time) { entities in
      .constant(Dictionary(entities.map { ($0, versions) }, uniquingKeysWith: { one, _ in one }))
    }
  }

  @Test(
    "a consumer that starts over reads more kept events than a page, and resumes among them",
    arguments: Engine.allCases)
  func keptPages(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      let total = Limits.eventsPerRead + 50
      try await emit(database, (0..<total).map { "\($0)" }, at: now.addingTimeInterval(-10))
      let ordinary = try #require(try await database.feed(after: .start, limit: 9).last).cursor
      try await purge(database, before: now, versions: 1)
      await #expect(throws: StorageError.expiredCursor) {
        try await database.feed(after: ordinary)
      }
      let page = try await database.feed(after: .start)
      #expect(page.count == Limits.eventsPerRead)
      // The cursor is stored, and crosses the contract as text.
      let consumer = EventConsumer("tests/kept")
      let reached = try FeedCursor(text: page[99].cursor.text)
      _ = try await database.write {
        try consumer.consume(through: reached, at: now) { .commit(Commit(at: now), ()) }
      }
      let stored = try await database.read(consumer.cursor)
      #expect(stored == page[99].cursor)
      try await emit(database, ["new"])
      // Another purge does not expire it.
      try await purge(database, before: now.addingTimeInterval(1), versions: 1)
      var seen: [FeedEvent] = []
      for try await event in database.follow(after: stored) {
        seen.append(event)
        if seen.count == total - 100 + 1 { break }
      }
      #expect(seen.map(\.entity) == (100..<total).map { "notes/\($0)" } + ["notes/new"])
      try await emit(database, ["newer"])
      let last = try #require(seen.last).cursor
      let newer = try #require(try await database.feed(after: last).first).cursor
      // The last of the kept events is the end of the catching up.
      #expect(!last.isCatchingUp)
      #expect(!newer.isCatchingUp)
      try await emit(database, ["newest"])
      try await purge(database, before: now.addingTimeInterval(2), versions: 1)
      await #expect(throws: StorageError.expiredCursor) { try await database.feed(after: newer) }
    }
  }

  @Test("a kept event goes once a later one of its entity is kept", arguments: Engine.allCases)
  func keptOnce(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      for version in 1...4 {
        let time = now.addingTimeInterval(Double(version) * 100)
        let events = [
          Notes.event("a", version: Int64(version)), Notes.event("b\(version)"),
        ]
        try await database.write(Commit(at: time, events: events))
        let latest = Int64(version)
        _ = try await database.purgeFeed(before: time + 50) { _ in
          .constant(["notes/a": latest, "notes/b1": 1])
        }
        let left = try await database.feed(after: .start)
        #expect(Set(left.map(\.entity)) == ["notes/a", "notes/b1"])
        #expect(left.first { $0.entity == "notes/a" }?.version == latest)
        #expect(left.count == 2)
      }
      // A later one takes its place even if it is not the last, for those who took the kept one.
      try await database.write(
        Commit(at: now.addingTimeInterval(500), events: [Notes.event("a", version: 5)]))
      try await purge(database, before: now.addingTimeInterval(600), versions: 9)
      let left = try await database.feed(after: .start)
      #expect(left.map(\.entity) == ["notes/b1", "notes/a"])
      #expect(left.last?.version == 5)
    }
  }

  @Test(
    "a consumer among the kept events learns of an end that purges came to one event at a time",
    arguments: Engine.allCases)
  func keptSteps(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      try await emit(database, ["a", "b"])
      try await purge(database, 10, ["notes/a": 1, "notes/b": 1])
      let taken = try #require(try await database.feed(after: .start, limit: 1).last).cursor
      for version in 2...4 {
        let event = Notes.event("a", version: Int64(version))
        try await database.write(Commit(at: now + Double(version) * 100, events: [event]))
      }
      // Neither the second event nor the third is the last one when a purge passes it.
      try await purge(database, 210, ["notes/a": 3, "notes/b": 1])
      try await purge(database, 310, ["notes/b": 1])
      try await purge(database, 410, ["notes/b": 1])
      let rest = try await database.feed(after: taken)
      #expect(rest.map(\.entity) == ["notes/b", "notes/a"])
      #expect(rest.map(\.version) == [1, 4])
    }
  }

  @Test(
    "a consumer among the kept events learns of every later state of what it copies, even its end",
    arguments: Engine.allCases)
  func keptEnds(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      try await emit(database, ["a", "b", "c"])
      try await purge(database, 10, ["notes/a": 1, "notes/b": 1, "notes/c": 1])
      let taken = try #require(try await database.feed(after: .start, limit: 2).last).cursor
      #expect(taken.isCatchingUp)
      // While the consumer is away, one entity changes, one ends, and others of which nothing is
      // kept come and go.
      let events = [
        Notes.event("a", version: 2), Notes.event("b", version: 2), Notes.event("x"),
      ]
      try await database.write(Commit(at: now + 100, events: events))
      try await purge(database, 110, ["notes/a": 2, "notes/c": 1])
      try await emit(database, ["y"], at: now + 200)
      try await purge(database, 210, ["notes/a": 2, "notes/c": 1])
      try await emit(database, ["z"], at: now + 300)
      let rest = try await database.feed(after: taken)
      #expect(rest.map(\.entity) == ["notes/c", "notes/a", "notes/b", "notes/z"])
      #expect(rest.map(\.version) == [1, 2, 2, 1])
      // Nor does another purge remove what a consumer has yet to learn.
      try await purge(database, 310, ["notes/a": 2, "notes/c": 1])
      let left = try await database.feed(after: taken)
      #expect(left.map(\.entity) == ["notes/c", "notes/a", "notes/b"])
    }
  }

  @Test(
    "a consumer that has passed the kept events learns that it missed others while it was away",
    arguments: Engine.allCases)
  func missed(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      try await emit(database, ["a", "b", "x"], audience: "partners/p")
      try await purge(database, 10, ["notes/a": 1, "notes/b": 1])
      let among = try #require(try await database.feed(after: .start, limit: 1).last).cursor
      let kept = try await database.feed(after: .start, limit: 2, audience: "partners/p")
      let end = try await database.feedEnd()
      #expect(kept.map(\.entity) == ["notes/a", "notes/b"])
      #expect(kept.map(\.cursor.isCatchingUp) == [true, false])
      #expect(kept.last?.cursor == end)
      #expect(try await database.feed(after: end) == [])
      // An event of which nothing is kept comes and goes.
      try await emit(database, ["y"], at: now + 100)
      #expect(try await database.feed(after: end).map(\.entity) == ["notes/y"])
      try await purge(database, 110, ["notes/a": 1, "notes/b": 1])
      await #expect(throws: StorageError.expiredCursor) { try await database.feed(after: end) }
      // It began at the start, and has not yet received anything that such an event could follow.
      #expect(try await database.feed(after: among).map(\.entity) == ["notes/b"])
    }
  }

  @Test(
    "an audience's cursor expires with an event of its own, not with others'",
    arguments: Engine.allCases)
  func quietAudience(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      let reader = "partners/p"
      try await emit(database, ["a"], audience: reader)
      let cursor = try #require(try await database.feed(after: .start, audience: reader).last)
        .cursor
      try await emit(database, ["x"], audience: "partners/q", at: now + 100)
      try await purge(database, 110, [:])
      await #expect(throws: StorageError.expiredCursor) { try await database.feed(after: cursor) }
      #expect(try await database.feed(after: cursor, audience: reader) == [])
      // One event of its own is kept, and received although it is purged from the others' feed.
      try await emit(database, ["b"], audience: reader, at: now + 200)
      try await purge(database, 210, ["notes/b": 1])
      #expect(try await database.feed(after: cursor, audience: reader).map(\.version) == [1])
      // A later one takes its place: what the reader has missed is lost.
      let later = OutboxEvent(
        entity: "notes/b", version: 2, kind: "note.changed", payload: [], audience: reader)
      try await database.write(Commit(at: now + 300, events: [later]))
      try await purge(database, 310, ["notes/b": 2])
      await #expect(throws: StorageError.expiredCursor) {
        try await database.feed(after: cursor, audience: reader)
      }
      #expect(try await database.feed(after: .start, audience: reader).map(\.version) == [2])
    }
  }

  @Test("a consumer's effect and cursor are stored together, once", arguments: Engine.allCases)
  func consumes(_ engine: Engine) async throws {
    try await engine.withDatabase { database in
      let consumer = EventConsumer("tests/notes")
      #expect(try await database.read(consumer.cursor) == .start)
      @Sendable func consume(_ position: Int64, epoch: Int64 = 9) async throws -> String? {
        try await database.write {
          try consumer.consume(through: FeedCursor(epoch: epoch, position: position), at: now) {
            .commit(Commit(at: now, statements: [Notes.insert("\(position)")]), "done")
          }
        }
      }
      #expect(try await consume(1) == "done")
      #expect(try await consume(1) == nil)
      #expect(try await consume(5) == "done")
      #expect(try await consume(4) == nil)
      await #expect(throws: StorageError.foreignCursor) { try await consume(6, epoch: 8) }
      #expect(try await database.read(consumer.cursor) == FeedCursor(epoch: 9, position: 5))
      #expect(try await database.read(Notes.count) == 2)
      let results = try await withThrowingTaskGroup(of: String?.self) { group in
        for _ in 0..<16 { group.addTask { try await consume(7) } }
        return try await group.reduce(into: [String?]()) { $0.append($1) }
      }
      #expect(results.filter { $0 == "done" }.count == 1)
      let reset = consumer.reset(to: FeedCursor(epoch: 8, position: 2), at: now)
      try await database.write(Commit(at: now, statements: [reset]))
      #expect(try await consume(3, epoch: 8) == "done")
    }
  }
}
