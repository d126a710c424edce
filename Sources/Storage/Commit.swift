public import Foundation

/// What one write stores, all or none: statements, events for the feed, entries for the audit log.
public struct Commit: Sendable {
  /// The instant of the decision: the time of its events and audit entries.
  public var time: Date
  public var statements: [Statement]
  public var events: [OutboxEvent]
  public var audit: [AuditEntry]

  public init(
    at time: Date, statements: [Statement] = [], events: [OutboxEvent] = [],
    audit: [AuditEntry] = []
  ) {
    self.time = time
    self.statements = statements
    self.events = events
    self.audit = audit
  }

  /// Adds a statement.
  public mutating func run(
    _ sql: String, _ arguments: [any SQLValueConvertible] = [],
    expects: Statement.Expectation = .any
  ) {
    statements.append(Statement(sql, arguments, expects: expects))
  }

  /// Adds a statement.
  public mutating func run(_ statement: Statement) {
    statements.append(statement)
  }

  /// Adds an event to the feed.
  public mutating func emit(_ event: OutboxEvent) {
    events.append(event)
  }

  /// Adds an entry to the audit log.
  public mutating func record(_ entry: AuditEntry) {
    audit.append(entry)
  }
}

/// An event as the writer states it; the engine gives it its place in the feed.
public struct OutboxEvent: Sendable, Hashable {
  /// The resource name of what changed, e.g. `members/{id}`.
  public var entity: String
  /// The entity's version after the change: rises by one a change, so consumers see order and gaps.
  public var version: Int64
  /// What happened, e.g. `member.admitted`.
  public var kind: String
  /// The event's message. Personal data stay out, or sealed with the person's key.
  public var payload: [UInt8]
  /// Who may see it beside the suite's own services, e.g. `partners/{id}`.
  public var audience: String?

  public init(
    entity: String, version: Int64, kind: String, payload: [UInt8], audience: String? = nil
  ) {
    self.entity = entity
    self.version = version
    self.kind = kind
    self.payload = payload
    self.audience = audience
  }
}

/// Who did what to what, and why. The engine chains it (see `AuditChain`).
///
/// No personal data in clear: entries outlive erasure.
public struct AuditEntry: Sendable, Hashable {
  /// The caller, e.g. `staff/{id}`, `partners/{id}`, `services/gateway`.
  public var actor: String
  /// What was done, e.g. `members.reveal`.
  public var action: String
  /// The resource name that it was done to.
  public var target: String
  /// Why, as the caller said; empty where none is asked for.
  public var reason: String
  /// More, in the service's own encoding.
  public var detail: [UInt8]

  public init(
    actor: String, action: String, target: String, reason: String = "", detail: [UInt8] = []
  ) {
    self.actor = actor
    self.action = action
    self.target = target
    self.reason = reason
    self.detail = detail
  }
}
