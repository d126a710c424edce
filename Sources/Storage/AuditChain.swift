internal import Crypto
public import Foundation

/// The hash chain of the audit log: each entry's hash covers the entry and the hash before it.
///
/// hash(n) = SHA-256(hash(n−1) ‖ canonical(n)), where canonical(n) is chain, sequence, time, actor,
/// action, target, reason and detail, each with its length; hash(0) is the SHA-256 of the chain's
/// name. There is one chain a writer and epoch, and its head is stored with it in the transaction,
/// so that a cut end is noticed. Whoever can rewrite the whole store can also rewrite the chain:
/// heads noted elsewhere (`AuditReport.heads`) and given to `verifyAudit(anchors:)` catch that.
///
/// A value: an engine keeps it beside its writing connection, and restores a copy on rollback.
public struct AuditChain: Sendable, Hashable {
  public let name: String
  /// The number of the last entry; zero before the first.
  public private(set) var sequence: Int64
  /// The hash of the last entry.
  public private(set) var hash: [UInt8]

  /// A chain without entries.
  public init(name: String) {
    self.name = name
    sequence = 0
    hash = Array(SHA256.hash(data: SealedBox.context("yijia audit 1", name)))
  }

  /// A name for a new chain of a store that has chains already: it says how many, so that none of
  /// them can be taken away whole.
  public static func name(_ engine: String, random: UInt64, after others: Int) -> String {
    "\(engine).\(String(random, radix: 16)).\(others)"
  }

  /// How many others were there before a chain, as far as its name says.
  static func others(besides name: String) -> Int {
    let parts = name.split(separator: ".")
    return parts.count == 3 ? Int(parts[2]) ?? 0 : 0
  }

  /// A chain as its head was stored.
  public init(name: String, sequence: Int64, hash: [UInt8]) {
    self.name = name
    self.sequence = sequence
    self.hash = hash
  }

  /// Appends an entry: the statement that stores it.
  public mutating func append(_ entry: AuditEntry, at time: Date) -> Statement {
    advance(by: entry, microseconds: time.microsecondsSince1970)
    return Statement(
      """
      INSERT INTO storage_audit
      (chain, sequence, time, actor, action, target, reason, detail, hash)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
      """,
      [
        name, sequence, time, entry.actor, entry.action, entry.target, entry.reason, entry.detail,
        hash,
      ], expects: .exactly(1))
  }

  /// The statement that stores the head, once a transaction.
  public func storeHead() -> Statement {
    Statement(
      """
      INSERT INTO storage_audit_head (chain, sequence, hash) VALUES (?1, ?2, ?3)
      ON CONFLICT (chain) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash
      """, [name, sequence, hash], expects: .exactly(1))
  }

  /// Moves the head over an entry.
  mutating func advance(by entry: AuditEntry, microseconds: Int64) {
    sequence += 1
    var digest = SHA256()
    digest.update(data: hash)
    digest.update(data: SealedBox.context(name))
    for number in [sequence, microseconds] {
      withUnsafeBytes(of: number.bigEndian) { digest.update(bufferPointer: $0) }
    }
    digest.update(
      data: SealedBox.context(entry.actor, entry.action, entry.target, entry.reason))
    withUnsafeBytes(of: UInt64(entry.detail.count).bigEndian) { digest.update(bufferPointer: $0) }
    digest.update(data: entry.detail)
    hash = Array(digest.finalize())
  }
}

/// The end of an audit chain: note it outside the store to notice a rewritten log later.
public struct AuditHead: Sendable, Hashable {
  public let chain: String
  public let sequence: Int64
  public let hash: [UInt8]

  public init(chain: String, sequence: Int64, hash: [UInt8]) {
    self.chain = chain
    self.sequence = sequence
    self.hash = hash
  }
}

/// What a verification of the audit log found.
public struct AuditReport: Sendable, Hashable {
  /// The first thing found wrong, and where.
  public struct Problem: Sendable, Hashable {
    /// What can be wrong with a chain.
    public enum Kind: String, Sendable, Hashable {
      /// The entry isn't the one that was written here (some column, or its order).
      case altered
      /// The entry isn't there, though later ones are.
      case missing
      /// The end of the chain, from this entry on, isn't there.
      case truncated
      /// There are entries after the chain's stored head, or a chain without one.
      case unheaded
      /// The chain's name says that more chains were there before it than are now.
      case unaccompanied
      /// The chain is consistent but not the one whose head was noted.
      case rewritten
    }
    public let chain: String
    public let sequence: Int64
    public let kind: Kind

    public init(chain: String, sequence: Int64, kind: Kind) {
      self.chain = chain
      self.sequence = sequence
      self.kind = kind
    }
  }

  /// How many entries were verified.
  public var rows: Int
  /// The heads of the chains that were found intact.
  public var heads: [AuditHead]
  /// `nil` when everything is intact.
  public var problem: Problem?

  public init(rows: Int, heads: [AuditHead], problem: Problem?) {
    self.rows = rows
    self.heads = heads
    self.problem = problem
  }

  public var isIntact: Bool { problem == nil }

  /// One line for people.
  public var summary: String {
    guard let problem else { return "intact: \(rows) rows in \(heads.count) chains" }
    return "NOT intact: chain \(problem.chain), row \(problem.sequence): \(problem.kind.rawValue)"
  }
}
