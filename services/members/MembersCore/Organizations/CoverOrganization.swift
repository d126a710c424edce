public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Records that a federation covers a union (二次覆盖); memberships don't change.
  public func coverOrganization(
    _ request: CoverOrganizationRequest, context: ServerContext
  ) async throws -> CoverOrganizationResponse {
    var payload = request
    payload.requestID = ""
    var response = CoverOrganizationResponse()
    response.organization = try await changeCover(
      CoverOrder(
        requestID: request.requestID, name: request.name, organization: request.organization),
      payload: try payload.wireBytes(), action: "cover", context: context
    ) { federation, union, isCovered, change in
      _ = try federation.live(.change)
      var checked = union
      _ = try checked.live(.change)
      guard federation.kind.mayCover, union.kind.mayBeCovered else { throw MembersError.coverKinds }
      guard !isCovered else { return nil }
      var commit = Commit(at: change.now)
      OrganizationStore.cover(federation.id, union, at: change.microseconds, into: &commit)
      return commit
    }
    return response
  }

  /// Adds or removes an edge between a federation and a union, as a change of the federation.
  ///
  /// - Parameter decide: Returns the commit; `nil` if nothing changes.
  func changeCover(
    _ cover: CoverOrder, payload: [UInt8], action: String, context: ServerContext,
    decide:
      @escaping @Sendable (
        inout StoredOrganization, StoredOrganization, Bool, OrganizationChange
      ) throws -> Commit?
  ) async throws -> Organization {
    let bytes = try await change(
      cover.order, payload: payload, action: action, context: context, other: cover.unionID
    ) { change, federation, union, scope in
      guard let union else { throw MembersError.organizationNotFound }
      guard scope.isAbove(union) else { throw CommonFailure.outOfScope }
      return .read(OrganizationStore.covers(federation.id, union.id)) { isCovered in
        var after = federation
        guard var commit = try decide(&after, union, isCovered, change) else {
          return try change.end(unchanged: federation, Commit(at: change.now))
        }
        after.version += 1
        OrganizationStore.update(after, from: federation, into: &commit)
        return try change.end(after, detail: "organizations/\(union.id)", commit)
      }
    }
    return try Organization(wireBytes: bytes)
  }
}

/// The validated federation and union of a request.
struct CoverOrder: Sendable {
  /// The common fields, which name the federation.
  let order: OrganizationOrder
  let unionID: String

  /// - Throws: ``CommonFailure/invalidFields(_:)`` with every invalid field.
  init(requestID: String, name: String, organization: String) throws {
    var checks = FieldChecks()
    order = OrganizationOrder(requestID: requestID, name: name, &checks)
    unionID =
      checks.resource(organization, of: "organizations", "organization") ?? ""
    try checks.check()
  }
}
