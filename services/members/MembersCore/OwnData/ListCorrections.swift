public import MembersV1
public import RPC
import ServiceKit
import Storage
import YijiaTypeV1

extension MembersService {
  /// Lists corrections, masked, oldest first.
  public func listCorrections(
    _ request: ListCorrectionsRequest, context: ServerContext
  ) async throws -> ListCorrectionsResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let isOwn = caller.kind == .member
    let range = isOwn ? nil : try await subtree(of: request.ancestor, for: caller)
    let member = isOwn ? try caller.member(named: "") : ""
    let states = try Filter.values(request.states, "states", standard: [.requested])
    let scope =
      ["ListCorrections", caller.subject, range?.first ?? member]
      + states.map { "\($0.rawValue)" }
    let after = try keys.pages.decode(request.pageToken, scope: scope)
    let page = try await database.read(
      CorrectionStore.page(
        of: range, member: member, states: states,
        after: (after?.first ?? .integer(0), after?.last ?? .text("")), limit: size + 1))
    var response = ListCorrectionsResponse()
    response.corrections = try page.prefix(size).map { placed in
      var message = placed.correction.message
      if !placed.known.person.isErased {
        let key = try keys.personKey(of: placed.known.person)
        message.data = try placed.correction.openData(key).masked
      }
      return message
    }
    if page.count > size {
      let last = page[size - 1].correction
      response.nextPageToken = try keys.pages.encode([last.created, last.id], scope: scope)
    }
    return response
  }
}
