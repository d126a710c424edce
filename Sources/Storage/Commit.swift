public import Foundation

/// The effects of one write, stored atomically: statements, feed events and audit entries.
public struct Commit: Sendable {
  /// The instant of the decision: the time of its events and audit entries.
  public var time: Date
  /// The statements, in execution order.
  public var statements: [Statement]
  /// The events to append to the feed.
  public var events: [OutboxEvent]
  /// The entries to append to the audit log.
  public var audit: [AuditEntry]

  /// Creates the effects of a decision at `time`; by default none.
  public init(
    at time: Date, statements: [Statement] = [], events: [OutboxEvent] = [],
    audit: [AuditEntry] = []
  ) {
    self.time = time
    self.statements = statements
    self.events = events
    self.audit = audit
  }

  /// Appends a statement with the given text and arguments.
  public mutating func run(
    _ sql: String, _ arguments: [any SQLValueConvertible] = [],
    expects: Statement.Expectation = .any
  ) {
    statements.append(Statement(sql, arguments, expects: expects))
  }

  /// Appends a statement.
  public mutating func run(_ statement: Statement) {
    statements.append(statement)
  }

  /// Appends an event to the feed.
  public mutating func emit(_ event: OutboxEvent) {
    events.append(event)
  }

  /// Appends an entry to the audit log.
  public mutating func record(_ entry: AuditEntry) {
    audit.append(entry)
  }
}

/// An event as emitted by the writer; the engine assigns its position in the feed.
public struct OutboxEvent: Sendable, Hashable {
  /// The resource name of what changed, e.g. `members/{id}`.
  public var entity: String
  /// The entity's version after the change. Increases by one per change, so that consumers detect
  /// reordering and gaps.
  public var version: Int64
  /// The kind of the event, e.g. `member.admitted`.
  public var kind: String
  /// The serialized event message. Personal data are left out or sealed with the person's key.
  public var payload: [UInt8]
  /// The reader allowed to see the event besides the suite's own services, e.g. `partners/{id}`.
  public var audience: String?

  /// Creates an event; the engine gives it its position when it is stored.
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

/// An audit log entry: actor, action, target and reason. The engine adds it to its chain (see
/// `AuditChain`).
///
/// Holds no personal data in clear: entries outlive erasure.
public struct AuditEntry: Sendable, Hashable {
  /// The caller, e.g. `staff/{id}`, `partners/{id}`, `services/gateway`.
  public var actor: String
  /// The action, e.g. `members.reveal`.
  public var action: String
  /// The resource name of the action's target.
  public var target: String
  /// The reason stated by the caller; empty if none is required.
  public var reason: String
  /// Additional data in the service's own encoding.
  public var detail: [UInt8]

  /// Creates an entry; the engine adds it to its chain when it is stored.
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
