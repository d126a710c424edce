internal import Crypto
public import Foundation

/// The hash chain of the audit log: the hash of each entry covers the entry and the previous hash.
///
/// hash(n) = SHA-256(hash(n−1) ‖ canonical(n)), where canonical(n) is chain, sequence, time, actor,
/// action, target, reason and detail, each length-prefixed; hash(0) is the SHA-256 of the chain's
/// name. There is one chain per writer and epoch. Its head is stored in the same transaction as its
/// entries, so that truncation is detected. Whoever can rewrite the whole store can also rewrite
/// the chain: heads recorded outside the store (`AuditReport.heads`) and passed to
/// `verifyAudit(anchors:)` detect that.
///
/// A value type: an engine keeps it beside its write connection and restores a copy on rollback.
public struct AuditChain: Sendable, Hashable {
  /// The name of the chain, unique in its store.
  public let name: String
  /// The sequence number of the last entry; 0 before the first.
  public private(set) var sequence: Int64
  /// The hash of the last entry.
  public private(set) var hash: [UInt8]

  /// Creates a chain without entries.
  public init(name: String) {
    self.name = name
    sequence = 0
    hash = Array(SHA256.hash(data: SealedBox.context("yijia audit 1", name)))
  }

  /// Returns the name of a new chain in a store with `others` chains. The count is part of the
  /// name, so that the removal of a whole chain is detected. (The store counts them, too.)
  public static func name(_ engine: String, random: UInt64, after others: Int) -> String {
    "\(engine).\(String(random, radix: 16)).\(others)"
  }

  /// Returns the number of chains that existed when the named chain was created; 0 if the name
  /// holds no such number.
  static func others(besides name: String) -> Int {
    let parts = name.split(separator: ".")
    return parts.count == 3 ? Int(parts[2]) ?? 0 : 0
  }

  /// Creates a chain from its stored head.
  public init(name: String, sequence: Int64, hash: [UInt8]) {
    self.name = name
    self.sequence = sequence
    self.hash = hash
  }

  /// Appends an entry and returns the statement that stores it.
  public mutating func append(_ entry: AuditEntry, at time: Date) -> Statement {
    advance(by: entry, microseconds: time.microseconds)
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

  /// Returns the statements that store the head, run once per transaction. The first ones of a
  /// chain also count it, so that the removal of all chains is detected.
  ///
  /// - Parameter begin: The chain before the transaction.
  public func storeHead(since begin: AuditChain) -> [Statement] {
    let head = Statement(
      """
      INSERT INTO storage_audit_head (chain, sequence, hash) VALUES (?1, ?2, ?3)
      ON CONFLICT (chain) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash
      """, [name, sequence, hash], expects: .exactly(1))
    if begin.sequence > 0 { return [head] }
    return [
      head, Statement("UPDATE storage_meta SET value = value + 1 WHERE name = 'audit_chains'"),
    ]
  }

  /// Advances the head past an entry.
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

/// The head of an audit chain. Record it outside the store to detect a rewritten log later.
public struct AuditHead: Sendable, Hashable {
  /// The name of the chain.
  public let chain: String
  /// The sequence number of the last entry.
  public let sequence: Int64
  /// The hash of the last entry.
  public let hash: [UInt8]

  /// Creates the head of a chain, for example from a record of it outside the store.
  public init(chain: String, sequence: Int64, hash: [UInt8]) {
    self.chain = chain
    self.sequence = sequence
    self.hash = hash
  }
}

/// The result of a verification of the audit log.
public struct AuditReport: Sendable, Hashable {
  /// The first inconsistency found, and where.
  public struct Problem: Sendable, Hashable {
    /// The kinds of inconsistency.
    public enum Kind: String, Sendable, Hashable {
      /// The entry differs from the one that was written, in a column or in its order.
      case altered
      /// The entry is missing, but later ones exist.
      case missing
      /// The end of the chain is missing, from this entry on.
      case truncated
      /// There are entries after the chain's stored head, or the chain has no stored head.
      case unheaded
      /// More chains were counted, in the chain's name or beside the log, than exist.
      case unaccompanied
      /// The chain is consistent, but does not contain an anchored head.
      case rewritten
    }
    /// The name of the chain; empty for a chain that was removed whole.
    public let chain: String
    /// The sequence number of the first entry concerned.
    public let sequence: Int64
    /// The kind of inconsistency.
    public let kind: Kind

    /// Creates a problem of that kind at an entry of a chain.
    public init(chain: String, sequence: Int64, kind: Kind) {
      self.chain = chain
      self.sequence = sequence
      self.kind = kind
    }
  }

  /// The number of verified entries.
  public var rows: Int
  /// The heads of the intact chains.
  public var heads: [AuditHead]
  /// The first inconsistency; `nil` if all chains are intact.
  public var problem: Problem?

  /// Creates the report of a verification; a nil problem means that all chains are intact.
  public init(rows: Int, heads: [AuditHead], problem: Problem?) {
    self.rows = rows
    self.heads = heads
    self.problem = problem
  }

  /// Whether no inconsistency was found.
  public var isIntact: Bool { problem == nil }

  /// A human-readable summary in one line.
  public var summary: String {
    guard let problem else { return "intact: \(rows) rows, chains: \(heads.count)" }
    let chain = problem.chain.isEmpty ? "(removed)" : problem.chain
    return "NOT intact: chain \(chain), row \(problem.sequence): \(problem.kind.rawValue)"
  }
}
