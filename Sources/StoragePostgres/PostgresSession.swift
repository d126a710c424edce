internal import Foundation
internal import Storage

/// The setup of a new connection. Blocks the calling thread.
struct PostgresSession: Sendable {
  /// The key of the store's advisory lock; a store is one schema of a database.
  let lock: Int64
  /// The notification channel for new events.
  let channel: String
  /// The name of the audit chain that this session writes.
  private(set) var chainName = ""

  enum Role: Sendable {
    case writer
    case reader
  }

  /// Connects. A call waits for its answer as long as the server is still working on it.
  static func connect(
    _ url: String, _ options: PostgresOptions
  ) throws(StorageError) -> PostgresLink {
    let link = try PostgresLink(url: url, options: options)
    link.answerMax = options.doubtMax
    link.stillWorks = { [place = link.place] in
      (try? works(url, options, for: place)) ?? false
    }
    return link
  }

  /// Connects and configures the session. Generic plans are forced, because planning a query on a
  /// partitioned table for each call takes longer than the call. JIT is off: it compiled the plan
  /// of each call with many keys, 80 ms for 1 ms of execution.
  static func open(
    _ url: String, _ options: PostgresOptions, _ role: Role
  ) throws(StorageError) -> (PostgresLink, PostgresSession) {
    let link = try connect(url, options)
    try awaitStandbys(link)
    link.serverStart = try serverStart(link)
    try link.run(
      """
      SET statement_timeout = \(milliseconds(options.statementMax));
      SET lock_timeout = \(milliseconds(options.silenceMax));
      SET idle_in_transaction_session_timeout = \(milliseconds(options.silenceMax));
      \(withoutOtherLimits);
      SET standard_conforming_strings = on;
      SET plan_cache_mode = force_generic_plan;
      SET jit = off;
      """)
    var session = try PostgresSession(link)
    switch role {
    case .reader:
      // Each batch is a transaction with one snapshot.
      try link.run(
        """
        SET default_transaction_isolation = 'repeatable read';
        SET default_transaction_read_only = on;
        """)
    case .writer:
      try link.run("SET default_transaction_isolation = 'read committed'")
      try session.insistOnDurability(link)
      try link.run("LISTEN \"\(session.channel)\"")
      let heads = try link.rows("SELECT count(*) AS n FROM storage_audit_head")
      session.chainName = AuditChain.name(
        "postgres", random: .random(in: .min ... .max), after: try heads.first?.int("n") ?? 0)
    }
    try link.enterPipeline()
    return (link, session)
  }

  /// Switches off the limits of a session that only some versions of the server have: it may be
  /// idle for any time, and a transaction is limited by its statements.
  fileprivate static let withoutOtherLimits = """
    SELECT set_config(name, '0', false) FROM pg_settings
    WHERE name IN ('idle_session_timeout', 'transaction_timeout')
    """

  private static func serverStart(_ link: PostgresLink) throws(StorageError) -> Int64 {
    let rows = try link.rows(
      """
      SELECT CAST(extract(epoch FROM pg_postmaster_start_time()) * 1000000 AS BIGINT) AS start
      """)
    return try rows.first?.integer("start") ?? 0
  }

  /// Commits a message and thereby waits until the synchronous standbys have everything committed
  /// before.
  ///
  /// A primary that was interrupted while waiting for them shows, once restarted, commits that it
  /// alone stored and may still lose to a promoted standby. A reader would take them for
  /// acknowledged.
  private static func awaitStandbys(_ link: PostgresLink) throws(StorageError) {
    // Whatever the defaults of the server and of this user are: the commit waits, and the server
    // warns if it stops waiting.
    try link.run(
      """
      SET client_min_messages = warning; BEGIN; SET LOCAL synchronous_commit = on;
      SELECT pg_logical_emit_message(true, 'yijia', ''); COMMIT
      """)
    if let warning = link.takeWarning() {
      throw .unreachable(.init("the server doesn't wait for its standbys: \(warning)"))
    }
  }

  /// Returns whether the server at a place is writable and has a backend busy with the sent
  /// command.
  static func works(
    _ url: String, _ options: PostgresOptions, for place: PostgresLink.Place
  ) throws -> Bool {
    let link = try PostgresLink(url: url, options: options, at: place)
    defer { link.close() }
    link.answerMax = options.doubtMax
    let rows = try link.rows(
      """
      SELECT pid FROM pg_stat_activity
      WHERE pid = ?1 AND state <> 'idle' AND NOT pg_is_in_recovery()
      """, [.integer(Int64(place.process))])
    return !rows.isEmpty
  }

  /// Determines the session's schema, lock and channel.
  ///
  /// - Throws: `StorageError.address` if the search path names no existing schema.
  init(_ link: PostgresLink) throws(StorageError) {
    let rows = try link.rows("SELECT current_schema() AS name")
    guard let schema = try rows.first?.optionalText("name") else {
      throw .address(
        .init(
          "the search path names no schema that is there: make it (CREATE SCHEMA), or name it by "
            + "a-z, 0-9 and _ only, then it is made"))
    }
    // FNV-1a over a fixed name: the same in every replica.
    let hash = "yijia \(schema)".utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01b3
    }
    lock = Int64(bitPattern: hash)
    channel = "yijia_\(String(hash, radix: 16))"
  }

  /// Ensures that an acknowledged write is durable, and replicated to the synchronous standbys.
  fileprivate func insistOnDurability(_ link: PostgresLink) throws(StorageError) {
    let rows = try link.rows(
      """
      SELECT current_setting('synchronous_commit') AS wait, current_setting('fsync') AS sync,
             current_setting('full_page_writes') AS pages
      """)
    guard let row = rows.first else { return }
    guard try row.text("sync") == "on", try row.text("pages") == "on" else {
      throw .io(.init("the server runs without fsync or full_page_writes: commits may be lost"))
    }
    // With `remote_write` a standby has a commit in memory only.
    if ["off", "local", "remote_write"].contains(try row.text("wait")) {
      try link.run("SET synchronous_commit = on")
    }
  }

  private static func milliseconds(_ duration: Duration) -> Int64 {
    duration.components.seconds * 1_000
      + duration.components.attoseconds / 1_000_000_000_000_000
  }

  /// The maximum number of events per statement.
  private static let eventsMax = 64

  /// Returns the statements that append events to the outbox. Transactions are serialized by the
  /// store's advisory lock, so positions are in commit order, and no reader sees an event before
  /// the preceding ones.
  ///
  /// Row counts are powers of two, and no value is NULL, which limits the number of distinct
  /// statements to prepare.
  static func insert(_ events: [OutboxEvent], microseconds: Int64) -> [Statement] {
    var statements: [Statement] = []
    var rest = events[...]
    var rows = eventsMax
    while !rest.isEmpty {
      while rows > rest.count { rows /= 2 }
      statements.append(insert(rest.prefix(rows), microseconds))
      rest = rest.dropFirst(rows)
    }
    return statements
  }

  private static func insert(
    _ events: ArraySlice<OutboxEvent>, _ microseconds: Int64
  ) -> Statement {
    let rows = (0..<events.count).map { row in
      "(\(row + 1), " + (2...6).map { "?\(row * 5 + $0)" }.joined(separator: ", ") + ")"
    }
    let values: [any SQLValueConvertible] = events.flatMap { event in
      [event.entity, event.version, event.kind, event.payload, event.audience ?? ""]
        as [any SQLValueConvertible]
    }
    return Statement(
      """
      INSERT INTO storage_outbox (position, entity, version, kind, payload, audience, time)
      SELECT e.place + greatest(
          (SELECT coalesce(max(position), 0) FROM storage_outbox),
          (SELECT coalesce(max(value), 0) FROM storage_meta WHERE name = 'feed_floor')),
        e.entity, e.version, e.kind, e.payload, nullif(e.audience, ''), ?1
      FROM (VALUES \(rows.joined(separator: ", ")))
        AS e (place, entity, version, kind, payload, audience)
      """, [microseconds] + values)
  }
}

/// Schema changes, on a connection of their own. Blocks the calling thread.
struct PostgresMigrator {
  let url: String
  let options: PostgresOptions

  /// Creates the engine-owned tables and the epoch of the store's feed.
  func prepare() throws {
    guard options.prepares else { return try requireStore() }
    try inTransaction { link in
      try checkDatabase(link)
      try link.run(PostgresText.schema(StorageSchema.migrationTable))
      try apply(.storage, StorageSchema.migrations, on: link)
      let epoch = try link.rows("SELECT value FROM storage_meta WHERE name = 'epoch'")
      if epoch.isEmpty {
        _ = try link.rows(
          "INSERT INTO storage_meta (name, value) VALUES ('epoch', ?1)",
          [.integer(Int64.random(in: 1...Int64.max))])
      }
    }
  }

  /// - Throws: `StorageError.address` where the schema holds no store, `.olderSchema`.
  private func requireStore() throws {
    let link = try PostgresSession.connect(url, options)
    defer { link.close() }
    let rows = try link.rows("SELECT to_regclass('storage_migration')::text AS name")
    guard let row = rows.first, try !row.isNull("name") else {
      throw StorageError.address(
        .init(
          "its schema holds no store, which a service makes (--migrate); the schema is named by "
            + "options=-csearch_path%3DNAME"))
    }
    let query = StorageSchema.applied(.storage)
    let applied = try query.decode(try link.rows(query.sql, query.arguments))
    try Migration.requireAll(of: StorageSchema.migrations, in: applied)
  }

  /// Applies the pending migrations of a service.
  func migrate(_ migrations: [Migration]) throws {
    try inTransaction { link in
      let moving = StorageSchema.isMoving
      guard try !moving.decode(try link.rows(moving.sql, moving.arguments)) else {
        throw StorageError.unfinishedMove
      }
      try apply(.service, migrations, on: link)
    }
  }

  /// Executes statements, then queries, in one transaction.
  func alter(_ statements: [Statement], then queries: [AnyQuery]) throws -> ReadResults {
    var results: [ReadResult] = []
    try inTransaction { link in
      for statement in statements { _ = try link.rows(statement.sql, statement.arguments) }
      for query in queries {
        results.append(try query.decode(try link.rows(query.sql, query.arguments)))
      }
    }
    return ReadResults(results)
  }

  /// Serializes concurrent starts, and running writes, by the store's advisory lock. Nothing in it
  /// is limited in time, whatever the server's default is.
  private func inTransaction(_ body: (PostgresLink) throws -> Void) throws {
    let link = try PostgresSession.connect(url, options)
    defer { link.close() }
    try makeSchema(link)
    let session = try PostgresSession(link)
    try link.run(
      """
      SET client_min_messages = warning; SET statement_timeout = 0; SET lock_timeout = 0;
      \(PostgresSession.withoutOtherLimits)
      """)
    try session.insistOnDurability(link)
    // By itself: where the default is another level, nothing may be asked before it.
    try link.run("BEGIN ISOLATION LEVEL READ COMMITTED")
    _ = try link.rows("SELECT pg_advisory_xact_lock(?1)", [.integer(session.lock)])
    try body(link)
    try link.run("COMMIT")
  }

  /// Creates the schema if the search path is one plain name that does not exist yet.
  private func makeSchema(_ link: PostgresLink) throws {
    let rows = try link.rows(
      "SELECT current_schema() AS name, current_setting('search_path') AS path")
    guard let row = rows.first, try row.isNull("name") else { return }
    let path = try row.text("path")
    let plain = Set("abcdefghijklmnopqrstuvwxyz0123456789_")
    guard path.allSatisfy(plain.contains), path.first?.isNumber == false else { return }
    // CREATE SCHEMA IF NOT EXISTS fails in a race, so concurrent starts are serialized by a lock.
    try link.run(
      """
      BEGIN; SELECT pg_advisory_xact_lock(0); CREATE SCHEMA IF NOT EXISTS "\(path)"; COMMIT
      """)
  }

  private func apply(
    _ component: StorageSchema.Component, _ migrations: [Migration], on link: PostgresLink
  ) throws {
    let query = StorageSchema.applied(component)
    let applied = try query.decode(try link.rows(query.sql, query.arguments))
    let missing = try Migration.missing(of: migrations, after: applied)
    let time = Date().microseconds
    for (offset, migration) in missing.enumerated() {
      try link.run(PostgresText.schema(migration.postgres ?? migration.sql))
      let statement = migration.remember(
        component, position: applied.count + offset, microseconds: time)
      _ = try link.rows(statement.sql, statement.arguments)
    }
  }

  /// Requires bytewise text order, as on SQLite, so that pages by key are the same on both engines.
  private func checkDatabase(_ link: PostgresLink) throws {
    let rows = try link.rows(
      """
      SELECT datname AS name, datcollate AS collation, pg_encoding_to_char(encoding) AS encoding,
             coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider
      FROM pg_database AS d WHERE datname = current_database()
      """)
    guard let row = rows.first else { return }
    let (collation, encoding) = (try row.text("collation"), try row.text("encoding"))
    // The providers of collations: c the C library, i ICU, b the server itself, always bytewise.
    let provider = try row.text("provider")
    let isBytewise = provider == "b" || provider == "c" && ["C", "POSIX"].contains(collation)
    guard isBytewise, encoding == "UTF8" else {
      throw StorageError.address(
        .init(
          """
          its database \(try row.text("name")) has encoding \(encoding) and collation \
          \(provider == "i" ? "ICU" : collation): make one with TEMPLATE template0 ENCODING 'UTF8' \
          LC_COLLATE 'C' LC_CTYPE 'C'\(provider == "i" ? " LOCALE_PROVIDER libc" : "")
          """))
    }
  }
}
