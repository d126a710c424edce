import Foundation
import GoogleProtobuf
public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage
import YijiaTypeV1

extension MembersService {
  /// Streams events from a cursor on: all events to a service, those of its own enrollments to a
  /// partner.
  public func watchMemberEvents(
    _ request: WatchMemberEventsRequest, responses: ResponseWriter<WatchMemberEventsResponse>,
    context: ServerContext
  ) async throws {
    let caller = try context.caller
    let view = EventView(caller: caller, pages: keys.pages)
    var cursor = try view.cursor(request.cursor)
    view.note(cursor, in: feedLag)
    if request.stopAtEnd {
      while true {
        let events = try await database.feed(after: cursor, audience: view.audience)
        for event in events { try await send(event, view, responses) }
        guard let last = events.last, events.count == Limits.eventsPerRead else { return }
        cursor = last.cursor
      }
    }
    try context.endFeedWhenDraining(domain: "members.yijia")
    for try await event in database.follow(after: cursor, audience: view.audience) {
      try await send(event, view, responses)
    }
    try Task.checkCancellation()
  }

  private func send(
    _ event: FeedEvent, _ view: EventView, _ responses: ResponseWriter<WatchMemberEventsResponse>
  ) async throws {
    if let response = try view.response(event) { try await responses.send(response) }
    view.note(event.cursor, in: feedLag)
  }
}

/// The feed as visible to one caller.
struct EventView: Sendable {
  let caller: Caller
  let pages: PageTokenCodec

  private var isPartner: Bool { caller.kind == .partner }

  /// The audience whose events are read; `nil` for all events.
  var audience: String? { isPartner ? caller.subject : nil }

  /// Records the progress of calling services, from which the feed lag is measured.
  func note(_ cursor: FeedCursor, in lag: FeedLag) {
    if caller.kind == .service { lag.note(caller.subject, at: cursor) }
  }

  private var scope: [String] { ["WatchMemberEvents", caller.subject] }

  /// Decodes a cursor. Partners' cursors are encrypted, because feed positions reveal the activity
  /// of others.
  func cursor(_ text: String) throws -> FeedCursor {
    guard isPartner, !text.isEmpty else { return try FeedCursor(text: text) }
    guard case .text(let place)? = try? pages.decode(text, scope: scope)?.first else {
      throw CommonFailure.invalidCursor
    }
    return try FeedCursor(text: place)
  }

  /// Returns the event as visible to the caller; `nil` for an unknown kind.
  func response(_ event: FeedEvent) throws -> WatchMemberEventsResponse? {
    var response = WatchMemberEventsResponse()
    switch MemberEventKind(rawValue: event.kind) {
    case .organizationChanged:
      response.event = .organizationChanged(try OrganizationChanged(wireBytes: event.payload))
    case .enrollmentChanged:
      var changed = try EnrollmentChanged(wireBytes: event.payload)
      if isPartner { changed.state = .received }
      response.event = .enrollmentChanged(changed)
    case .membershipChanged:
      response.event = .membershipChanged(try MembershipChanged(wireBytes: event.payload))
    case .poolCaseChanged:
      response.event = .poolCaseChanged(try PoolCaseChanged(wireBytes: event.payload))
    case .transferChanged:
      response.event = .transferChanged(try TransferChanged(wireBytes: event.payload))
    case .duplicateChanged:
      response.event = .duplicateChanged(try DuplicateChanged(wireBytes: event.payload))
    case .correctionChanged:
      response.event = .correctionChanged(try CorrectionChanged(wireBytes: event.payload))
    case .coverageChanged:
      response.event = .coverageChanged(try CoverageChanged(wireBytes: event.payload))
    case .unitChanged:
      response.event = .unitChanged(try UnitChanged(wireBytes: event.payload))
    case .awayReportChanged:
      response.event = .awayReportChanged(try AwayReport(wireBytes: event.payload))
    case .refreshRoundChanged:
      response.event = .refreshRoundChanged(try RefreshRound(wireBytes: event.payload))
    case .outreachListChanged:
      response.event = .outreachListChanged(try OutreachList(wireBytes: event.payload))
    case nil:
      return nil
    }
    response.cursor =
      isPartner ? try pages.encode([event.cursor.text], scope: scope) : event.cursor.text
    response.entity = event.entity
    response.entityVersion = event.version
    response.createTime = Timestamp(microseconds: event.time.microseconds)
    return response
  }
}
