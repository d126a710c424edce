import MembersV1
import ServiceKit

/// A request about one member, whom the contract calls `member`.
protocol MemberRequest: ChangeRequest {
  var member: String { get set }
}

extension MemberRequest {
  var name: String {
    get { member }
    set { member = newValue }
  }
}

extension Member: Shown, Addressed {
  static let collection = "members"

  var line: String {
    columns(
      name, memberNumber, contractName(state), personNameMasked, phoneMasked, contractName(group),
      managingOrganization, dayText(joinDate))
  }

  /// Takes a member's number, too, as it is read out.
  static func resourceName(of text: String, _ client: SuiteClient) async throws -> String {
    if text.contains("/") { return text }
    // Without one the list would be of all members, and the first of them taken.
    guard !text.isEmpty else {
      throw ConfigurationError(zh: "会员号是空的", en: "a member's number is empty")
    }
    if text.count == 32, text.allSatisfy(\.isHexDigit) { return "\(collection)/\(text)" }
    var request = ListMembersRequest()
    request.memberNumber = text
    request.states = MembershipState.allCases.filter { $0.rawValue > 0 }
    let found = try await client.members.listMembers(request, options: client.options).members
    guard let member = found.first else {
      throw ConfigurationError(
        zh: "\(text)：您能看到的会员都没有这个会员号", en: "\(text): no member that you see has this number")
    }
    return member.name
  }
}

extension MembershipSummary: Shown, Addressed {
  static let collection = Member.collection

  static func resourceName(of text: String, _ client: SuiteClient) async throws -> String {
    try await Member.resourceName(of: text, client)
  }

  var line: String {
    columns(
      name, memberNumber, contractName(state), contractName(group), managingOrganization,
      dayText(joinDate))
  }
}
