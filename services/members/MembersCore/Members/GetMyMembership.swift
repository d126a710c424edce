public import MembersV1
import QRCode
public import RPC
import ServiceKit
import Storage

extension MembersService {
  private static let honorsMax = 1_000

  /// Returns the caller's own membership, masked, with their own code and honors.
  public func getMyMembership(
    _ request: GetMyMembershipRequest, context: ServerContext
  ) async throws -> GetMyMembershipResponse {
    let id = try context.caller.member(named: "")
    let known = try await database.read(MemberStore.remaining(of: id))
    guard let known, !known.person.isErased else { throw MembersError.memberNotFound }
    // Everything is read of the survivor, also if the session is that of a merged record.
    let (joined, managing, transfer, honors) = try await database.read(
      OrganizationStore.byID(known.member.organizationID),
      OrganizationStore.byID(known.member.managingOrganizationID),
      TransferStore.open(of: known.member.id),
      HonorStore.of(known.member.id, limit: Self.honorsMax))
    var response = GetMyMembershipResponse()
    response.member = try known.maskedMessage(keys)
    response.code = try keys.personKey(of: known.person)
      .openText(known.member.code, table: MemberStore.table, column: "code")
    response.codeSvg = try Symbol(response.code).svg()
    response.organizationName = joined?.displayName ?? ""
    response.managingOrganizationName = managing?.displayName ?? ""
    response.transfer = transfer.map { $0.message($0.transfer) }
    response.honors = honors.map(\.message)
    return response
  }
}
