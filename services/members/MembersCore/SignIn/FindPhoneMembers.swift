public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Members that one phone may have: a family's.
  private static let membersMax = 10

  /// Says which live members have a phone: to whom the gateway sends a code, and as whom somebody
  /// signs in with it. Found by the keyed hash; nothing is unsealed.
  public func findPhoneMembers(
    _ request: FindPhoneMembersRequest, context: ServerContext
  ) async throws -> FindPhoneMembersResponse {
    let phone: PhoneNumber
    do throws(FieldFailure) {
      phone = try PhoneNumber(checking: request.phone, field: "phone")
    } catch {
      throw CommonFailure.invalidFields([error])
    }
    var response = FindPhoneMembersResponse()
    response.members = try await database.read(
      PersonStore.members(with: keys.phones.keyed(phone.text), limit: Self.membersMax))
    return response
  }
}

extension PersonStore {
  /// The live members with a phone: of a merged record the survivor.
  fileprivate static func members(
    with hashes: [KeyedHash.Candidate], limit: Int
  ) -> Query<[PhoneMember]> {
    let live = MembershipState.live.map { String($0.rawValue) }.joined(separator: ", ")
    return .all(
      """
      SELECT DISTINCT m.id, m.member_number FROM person_hashes AS h
      LEFT JOIN merges AS x ON x.merged_id = h.person_id AND x.undone IS NULL
      JOIN memberships AS m ON m.id = COALESCE(x.survivor_id, h.person_id)
      WHERE h.hash IN (?1, ?2) AND m.state IN (\(live)) ORDER BY m.id LIMIT ?3
      """, [hashes[0].digest, hashes[hashes.count - 1].digest, limit]
    ) { row in
      var member = PhoneMember()
      member.member = "members/\(try row.text("id"))"
      member.memberNumber = try row.text("member_number")
      return member
    }
  }
}
