public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Lists the entries of a list, masked.
  public func listOutreachEntries(
    _ request: ListOutreachEntriesRequest, context: ServerContext
  ) async throws -> ListOutreachEntriesResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let id = try ResourceName.parse(request.list, collection: "outreachLists", field: "list")
    _ = try await outreachList(id, for: caller)
    let states = try Filter.values(request.states, "states", standard: [.open, .notReached])
    let scope =
      ["ListOutreachEntries", caller.subject, id] + states.map { String($0.rawValue) }
    let after = try keys.pages.decode(request.pageToken, scope: scope)?.first ?? .text("")
    let rows = try await database.read(
      OutreachStore.page(of: id, states: states, after: after, limit: size + 1))
    var response = ListOutreachEntriesResponse()
    response.entries = try rows.prefix(size).map { entry in
      let contact = try keys.contact(of: entry)
      var message = entry.message
      message.personName = Masking.personName(contact.personName)
      message.phone = contact.phone.isEmpty ? "" : Masking.phone(contact.phone)
      return message
    }
    if rows.count > size {
      response.nextPageToken = try keys.pages.encode([rows[size - 1].id], scope: scope)
    }
    return response
  }
}
