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
    let after = try ListPlace(keys.pages.decode(request.pageToken, scope: scope))
    let page = try await corrections(
      of: range, member, states, after: after, limit: size + 1)
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

  /// - Parameter range: The subtree; `nil` for one member.
  private func corrections(
    of range: PathRange?, _ member: String, _ states: [CorrectionState], after: ListPlace,
    limit: Int
  ) async throws -> [PlacedCorrection] {
    guard let range else {
      return try await database.read(
        CorrectionStore.page(of: member, states: states, after: after, limit: limit))
    }
    return try await orderedPage(
      of: range, limit: limit, CorrectionStore.rows(states),
      { CorrectionStore.place(after: after, states: states, skipping: $0) },
      {
        CorrectionStore.page(
          of: range, states: states, by: $0, before: $1, after: after, limit: limit)
      })
  }
}
