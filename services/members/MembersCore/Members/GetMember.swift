import GoogleProtobuf
import GoogleType
public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Returns a member of the caller's subtree, masked.
  public func getMember(
    _ request: GetMemberRequest, context: ServerContext
  ) async throws -> GetMemberResponse {
    let known = try await member(request.name, for: try context.caller)
    var response = GetMemberResponse()
    response.member = try known.maskedMessage(keys)
    return response
  }

  /// Returns a member of the caller's subtree.
  ///
  /// - Throws: ``MembersError/memberNotFound``, also if the member is outside of it.
  func member(_ name: String, for caller: Caller) async throws -> KnownMember {
    let id = try ResourceName.parse(name, collection: "members", field: "name")
    let (scope, known) = try await database.read(
      StaffScope.query(of: caller), MemberStore.byID(id))
    guard let known, scope.holds(known.managingPath) else { throw MembersError.memberNotFound }
    return known
  }
}

extension KnownMember {
  /// Returns the member's message for staff: personal data are masked, and omitted after erasure.
  func maskedMessage(_ keys: MembersKeys) throws -> Member {
    var message = Member()
    message.name = "members/\(member.id)"
    message.memberNumber = member.number
    if !person.isErased {
      let data = try keys.personalData(of: person)
      message.personNameMasked = Masking.personName(data.name)
      message.residentIDMasked = Masking.residentID(data.residentID)
      message.phoneMasked = Masking.phone(data.phone)
      if member.details != nil {
        message.details = try member.openDetails(try keys.personKey(of: person))
      }
    }
    message.group = member.group
    message.state = member.state
    message.organization = "organizations/\(member.organizationID)"
    message.managingOrganization = "organizations/\(member.managingOrganizationID)"
    message.joinDate = .day(member.joinDay)
    message.channel = member.channel
    message.campaign = member.campaign
    message.createTime = Timestamp(microseconds: member.created)
    message.etag = member.etag
    return message
  }
}
