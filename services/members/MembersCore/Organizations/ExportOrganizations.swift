public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// The number of rows per read: some milliseconds and some hundred kilobytes.
  private static let exportPage = 500

  /// Streams a subtree, parents before children.
  public func exportOrganizations(
    _ request: ExportOrganizationsRequest, responses: ResponseWriter<ExportOrganizationsResponse>,
    context: ServerContext
  ) async throws {
    let range = try await subtree(of: request.ancestor, for: try context.caller)
    let filter = OrganizationFilter(kinds: try Filter.values(request.kinds, "kinds"))
    var after = ""
    while true {
      let page = try await database.read(
        OrganizationStore.pageByPath(of: range, filter, after: after, limit: Self.exportPage))
      for (organization, parentExternalID) in page {
        var response = ExportOrganizationsResponse()
        response.organization = organization.message
        response.parentExternalID = parentExternalID
        try await responses.send(response)
      }
      guard page.count == Self.exportPage, let last = page.last else { return }
      after = last.organization.path
    }
  }
}
