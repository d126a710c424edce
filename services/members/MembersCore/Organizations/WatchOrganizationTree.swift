public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Streams a snapshot of a subtree and then its changes; from a cursor on, only the changes.
  ///
  /// The cursor is taken before the subtree is read, and the subtree is read by external id, which
  /// never changes. So changes made meanwhile are sent again, and none is missed.
  public func watchOrganizationTree(
    _ request: WatchOrganizationTreeRequest,
    responses: ResponseWriter<WatchOrganizationTreeResponse>, context: ServerContext
  ) async throws {
    let caller = try context.caller
    let range = try await subtree(of: request.ancestor, for: caller)
    let watch = TreeWatch(
      service: self, root: range.rootID, pages: keys.pages, caller: caller, responses: responses)
    var cursor = try watch.cursor(request.cursor)
    if request.cursor.isEmpty {
      cursor = try await database.feedEnd()
      try await watch.sendAll(of: range)
      try await watch.sendComplete(at: cursor)
    }
    if request.stopAtEnd {
      while true {
        let events = try await database.feed(after: cursor)
        for event in events { try await watch.send(event) }
        guard let last = events.last, events.count == Limits.eventsPerRead else { return }
        cursor = last.cursor
      }
    }
    try context.endFeedWhenDraining(domain: "members.yijia")
    for try await event in database.follow(after: cursor) { try await watch.send(event) }
    try Task.checkCancellation()
  }
}

extension PathRange {
  /// The identifier of the subtree's root; `nil` for the whole tree.
  fileprivate var rootID: String? {
    first.isEmpty ? nil : String(first.suffix(StoredOrganization.idCharacters))
  }
}

/// A stream of one subtree.
private struct TreeWatch: Sendable {
  private static let page = 500

  let service: MembersService
  /// The identifier of the root; `nil` for the whole tree. Not a path, because the root itself may
  /// move.
  let root: String?
  let pages: PageTokenCodec
  let caller: Caller
  let responses: ResponseWriter<WatchOrganizationTreeResponse>

  private var scope: [String] { ["WatchOrganizationTree", caller.subject, root ?? ""] }

  /// Decodes a cursor. Cursors are encrypted, because feed positions reveal the activity elsewhere.
  func cursor(_ text: String) throws -> FeedCursor {
    guard !text.isEmpty else { return .start }
    guard case .text(let place)? = try? pages.decode(text, scope: scope)?.first else {
      throw CommonFailure.invalidCursor
    }
    return try FeedCursor(text: place)
  }

  func sendAll(of range: PathRange, cursor: String = "") async throws {
    var after = SQLValue.text("")
    while true {
      let page = try await service.organizations(of: range, after: after, limit: Self.page)
      for organization in page { try await send(.organization(organization.message), cursor) }
      guard page.count == Self.page, let last = page.last else { return }
      after = .text(last.externalID)
    }
  }

  func sendComplete(at cursor: FeedCursor) async throws {
    try await send(.complete(true), try sealed(cursor))
  }

  /// Sends the current state of an organization that an event changed. An organization moved in
  /// from outside is sent with its subtree, which has no events of its own.
  func send(_ event: FeedEvent) async throws {
    guard event.kind == MemberEventKind.organizationChanged.rawValue else { return }
    let change = try OrganizationChanged(wireBytes: event.payload)
    let ids = [change.organization, change.previousParent].map { name in
      String(name.drop { $0 != "/" }.dropFirst())
    }
    let (organization, previous, top) = try await service.database.read(
      OrganizationStore.byID(ids[0]), OrganizationStore.byID(ids[1]),
      OrganizationStore.byID(root ?? ""))
    guard let organization else { return }
    let path = root == nil ? "" : top?.path ?? "g"
    let cursor = try sealed(event.cursor)
    let isMove = !change.previousParent.isEmpty
    let wasInside = isMove && previous?.path.hasPrefix(path) == true
    if organization.path.hasPrefix(path) {
      // A move of the watched root itself does not change its subtree.
      if isMove, !wasInside, organization.id != root {
        try await sendAll(of: PathRange(subtreeOf: organization.path), cursor: "")
      }
      try await send(.organization(organization.message), cursor)
    } else if wasInside {
      try await send(.removed(change.organization), cursor)
    }
  }

  private func sealed(_ cursor: FeedCursor) throws -> String {
    try pages.encode([cursor.text], scope: scope)
  }

  private func send(
    _ change: WatchOrganizationTreeResponse.Change, _ cursor: String
  ) async throws {
    var response = WatchOrganizationTreeResponse()
    response.cursor = cursor
    response.change = change
    try await responses.send(response)
  }
}
