public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// The largest subtree that is sorted for each page: about 10 ms.
  private static let gatheredMax = 5_000

  /// Lists the organizations of a subtree by external id: all, those directly below one, those
  /// covered by a federation, or the one with an external id.
  public func listOrganizations(
    _ request: ListOrganizationsRequest, context: ServerContext
  ) async throws -> ListOrganizationsResponse {
    let caller = try context.caller
    let size = try PageSize.rows(request.pageSize)
    let range = try await subtree(of: request.ancestor, for: caller)
    let filter = OrganizationFilter(kinds: try Filter.values(request.kinds, "kinds"))
    guard request.externalID.isEmpty else { return try await found(request, filter, in: range) }
    let hanging = try await hanging(request, within: range)
    let scope =
      ["ListOrganizations", caller.subject, range.first, request.parent, request.coveredBy]
      + filter.kinds.map { "\($0.rawValue)" }
    let after = try keys.pages.decode(request.pageToken, scope: scope)?.first ?? .text("")
    let page: [StoredOrganization]
    if let (edge, id) = hanging {
      page = try await database.read(
        OrganizationStore.page(edge, of: id, filter, after: after, limit: size + 1))
    } else {
      page = try await organizations(of: range, filter, after: after, limit: size + 1)
    }
    var response = ListOrganizationsResponse()
    response.organizations = page.prefix(size).map { $0.message }
    if page.count > size {
      response.nextPageToken = try keys.pages.encode([page[size - 1].externalID], scope: scope)
    }
    return response
  }

  /// Returns the organization with an external id, if it is in the subtree and of the listed kinds.
  private func found(
    _ request: ListOrganizationsRequest, _ filter: OrganizationFilter, in range: PathRange
  ) async throws -> ListOrganizationsResponse {
    guard request.parent.isEmpty, request.coveredBy.isEmpty else {
      throw FieldFailure.invalidValue("external_id")
    }
    var response = ListOrganizationsResponse()
    let organization = try await database.read(
      OrganizationStore.byExternalID(request.externalID))
    if let organization, organization.path.hasPrefix(range.first),
      filter.kinds.isEmpty || filter.kinds.contains(organization.kind)
    {
      response.organizations = [organization.message]
    }
    return response
  }

  /// Returns a page of a subtree, with a query plan that fits its size.
  func organizations(
    of range: PathRange, _ filter: OrganizationFilter = OrganizationFilter(),
    after: SQLValue, limit: Int
  ) async throws -> [StoredOrganization] {
    let count = try await database.read(
      OrganizationStore.size(of: range, upTo: Self.gatheredMax + 1))
    return try await database.read(
      OrganizationStore.page(
        of: range, filter, after: after, limit: limit, isSmall: count <= Self.gatheredMax))
  }

  /// Returns the edge and the organization by which the list is restricted; `nil` for a whole
  /// subtree.
  ///
  /// - Throws: ``CommonFailure/outOfScope`` if the organization is not in the subtree.
  private func hanging(
    _ request: ListOrganizationsRequest, within range: PathRange
  ) async throws -> (OrganizationEdge, id: String)? {
    let (edge, name, field): (OrganizationEdge, String, String) =
      request.parent.isEmpty
      ? (.covered, request.coveredBy, "covered_by") : (.below, request.parent, "parent")
    guard !name.isEmpty else { return nil }
    if !request.parent.isEmpty, !request.coveredBy.isEmpty {
      throw FieldFailure.invalidValue("covered_by")
    }
    let id = try ResourceName.parse(name, collection: "organizations", field: field)
    guard let organization = try await database.read(OrganizationStore.byID(id)),
      organization.path.hasPrefix(range.first)
    else { throw CommonFailure.outOfScope }
    return (edge, id)
  }
}
