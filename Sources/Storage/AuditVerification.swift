internal import Foundation

extension Database {
  /// Verifies every audit chain from its first entry. Reads in pages, so that writes continue.
  ///
  /// - Parameters:
  ///   - anchors: Heads recorded earlier outside the store; each must be part of its chain.
  ///   - progress: Called after each page with the entries verified and the total; an error that it
  ///     throws ends the verification.
  public func verifyAudit(
    anchors: [AuditHead] = [],
    progress: (_ done: Int, _ total: Int) async throws -> Void = { _, _ in }
  ) async throws -> AuditReport {
    var report = AuditReport(rows: 0, heads: [], problem: nil)
    let (headed, written, counted) = try await read(
      AuditSQL.headedChains, AuditSQL.writtenChains, AuditSQL.countedChains)
    let names = Set(headed.map(\.chain) + written).sorted()
    // A stored head may hold any number.
    let total = headed.reduce(0) { $0 + Int(min(max(0, $1.sequence), 1 << 48)) }
    let anchored = Set(anchors.map(\.chain)).subtracting(names)
    if let lost = anchored.sorted().first {
      report.problem = .init(chain: lost, sequence: 1, kind: .truncated)
      return report
    }
    guard let counted, names.count >= counted else {
      report.problem = .init(chain: "", sequence: 1, kind: .unaccompanied)
      return report
    }
    for name in names where AuditChain.others(besides: name) >= names.count {
      report.problem = .init(chain: name, sequence: 1, kind: .unaccompanied)
      return report
    }
    for name in names {
      var verification = AuditVerification(
        chain: AuditChain(name: name), anchors: anchors.filter { $0.chain == name })
      while true {
        let after = verification.chain.sequence
        let (head, page) = try await read(
          AuditSQL.head(of: name), AuditSQL.page(of: name, after: verification.place))
        let isDone = verification.check(page, head: head)
        report.rows += Int(verification.chain.sequence - after)
        try await progress(report.rows, max(report.rows, total))
        if isDone { break }
      }
      if let problem = verification.problem {
        report.problem = problem
        return report
      }
      report.heads.append(verification.chain.head)
    }
    return report
  }
}

extension AuditChain {
  /// The chain's current head.
  var head: AuditHead { AuditHead(chain: name, sequence: sequence, hash: hash) }
}

/// The verification of one chain, page by page. Pure: the rows and the head come from one snapshot.
struct AuditVerification {
  private(set) var chain: AuditChain
  private(set) var problem: AuditReport.Problem?
  /// The key of the last row checked. It includes the time, because a tampered table may hold a
  /// sequence number twice.
  private(set) var place = AuditSQL.Place(sequence: .min, microseconds: .min)
  private let anchors: [Int64: [UInt8]]

  init(chain: AuditChain, anchors: [AuditHead]) {
    self.chain = chain
    self.anchors = Dictionary(
      anchors.map { ($0.sequence, $0.hash) }, uniquingKeysWith: { first, _ in first })
  }

  /// Checks the next page; returns true once the chain is verified or found inconsistent.
  mutating func check(_ page: [AuditSQL.Stored], head: AuditHead?) -> Bool {
    for row in page {
      place = AuditSQL.Place(sequence: row.sequence, microseconds: row.microseconds)
      if row.sequence != chain.sequence + 1 { return fail(chain.sequence + 1, .missing) }
      guard let head, row.sequence <= head.sequence else { return fail(row.sequence, .unheaded) }
      chain.advance(by: row.entry, microseconds: row.microseconds)
      if chain.hash != row.hash { return fail(row.sequence, .altered) }
      if let anchor = anchors[row.sequence], anchor != row.hash {
        return fail(row.sequence, .rewritten)
      }
    }
    if !page.isEmpty { return false }
    let anchored = anchors.keys.max() ?? 0
    guard let head, max(head.sequence, anchored) <= chain.sequence else {
      return fail(chain.sequence + 1, .truncated)
    }
    if head.hash != chain.hash { return fail(head.sequence, .altered) }
    return true
  }

  private mutating func fail(_ sequence: Int64, _ kind: AuditReport.Problem.Kind) -> Bool {
    problem = .init(chain: chain.name, sequence: sequence, kind: kind)
    return true
  }
}

/// The audit log's queries on the engine-owned tables, identical for both engines.
enum AuditSQL {
  /// A stored entry with its position in the chain.
  struct Stored: Sendable {
    let sequence: Int64
    let microseconds: Int64
    let entry: AuditEntry
    let hash: [UInt8]
  }

  static let headedChains = Query<[(chain: String, sequence: Int64)]>.all(
    "SELECT chain, sequence FROM storage_audit_head"
  ) { row in (try row.text("chain"), try row.integer("sequence")) }

  /// The chains that have entries. Uses one index lookup per chain, because the log is too long for
  /// a scan.
  static let writtenChains = Query<[String]>.all(
    """
    WITH RECURSIVE written (chain) AS (
      SELECT min(chain) FROM storage_audit
      UNION ALL
      SELECT (SELECT min(chain) FROM storage_audit WHERE chain > written.chain)
      FROM written WHERE written.chain IS NOT NULL)
    SELECT chain FROM written WHERE chain IS NOT NULL
    """
  ) { row in try row.text("chain") }

  /// The number of chains that have been started; `nil` if it was removed.
  static let countedChains = Query<Int?>.first(
    "SELECT value FROM storage_meta WHERE name = 'audit_chains'"
  ) { try $0.int("value") }

  static func head(of chain: String) -> Query<AuditHead?> {
    .first("SELECT sequence, hash FROM storage_audit_head WHERE chain = ?1", [chain]) { row in
      AuditHead(chain: chain, sequence: try row.integer("sequence"), hash: try row.blob("hash"))
    }
  }

  /// A position in the order of a chain's rows. On PostgreSQL the primary key includes the time.
  struct Place: Sendable {
    let sequence: Int64
    let microseconds: Int64
  }

  static func page(of chain: String, after place: Place) -> Query<[Stored]> {
    .all(
      """
      SELECT sequence, time, actor, action, target, reason, detail, hash FROM storage_audit
      WHERE chain = ?1 AND (sequence, time) > (?2, ?3) ORDER BY sequence, time LIMIT 1000
      """, [chain, place.sequence, place.microseconds]
    ) { row in
      Stored(
        sequence: try row.integer("sequence"), microseconds: try row.integer("time"),
        entry: AuditEntry(
          actor: try row.text("actor"), action: try row.text("action"),
          target: try row.text("target"), reason: try row.text("reason"),
          detail: try row.blob("detail")),
        hash: try row.blob("hash"))
    }
  }
}
