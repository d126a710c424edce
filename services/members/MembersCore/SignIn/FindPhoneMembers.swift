public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// The maximum number of members with one phone number: a family.
  private static let membersMax = 10

  /// Returns the live members with a phone number, as whom its owner may sign in, and the applicant
  /// as whom anybody else may. Looks up the keyed hash and decrypts nothing.
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
    response.applicant = keys.applicantSubjects(phone: phone.text)[0]
    return response
  }
}

extension MembersKeys {
  /// Returns the subjects of callers who proved a phone number but are no members, the current
  /// key's first. They name nobody else: an identifier of 128 bits is not that of a member.
  func applicantSubjects(phone: String) -> [String] {
    applicants.candidates(phone).map { digest in
      "members/"
        + digest.prefix(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
  }
}

extension PersonStore {
  /// Returns the live members with a phone number, or the survivors of merged records.
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
