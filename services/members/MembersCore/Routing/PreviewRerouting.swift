public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// The maximum number of members routed per call; each requires decrypting an application.
  static let reroutedMax = 200

  /// Lists the members of a subtree who belong to a union of rule 1 or 2, without changing
  /// anything.
  public func previewRerouting(
    _ request: PreviewReroutingRequest, context: ServerContext
  ) async throws -> PreviewReroutingResponse {
    let caller = try context.caller
    let language = context.language
    let size = min(try PageSize.rows(request.pageSize), Self.reroutedMax)
    let range = try await subtree(of: request.ancestor, for: caller)
    let scope = ["PreviewRerouting", caller.subject, range.first]
    let after = try keys.pages.decode(request.pageToken, scope: scope)
    let rows = try await database.read(
      ReroutedMembers.page(
        of: range, after: after?.first ?? .text(""), after?.last ?? .text(""), limit: size + 1))
    let ids = rows.prefix(size).map { $0.id }
    var response = PreviewReroutingResponse()
    let (held, known, regions) = try await database.read(
      StaffScope.query(of: caller), ReroutedMembers.members(ids), RegionSettingStore.all)
    let subjects = try ReroutedMembers.subjects(of: known, in: held, keys)
    var candidates: [[StoredOrganization]] = []
    for subject in subjects { candidates.append(try await database.read(subject.candidates)) }
    response.reroutings = ReroutedMembers.found(subjects, among: candidates, by: regions)
      .map { $0.message(in: language) }
    if rows.count > size {
      let last = rows[size - 1]
      response.nextPageToken = try keys.pages.encode([last.path, last.number], scope: scope)
    }
    return response
  }
}
