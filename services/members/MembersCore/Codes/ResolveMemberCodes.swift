import Crypto
public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// The maximum number of codes per call.
  private static let codesMax = 1_000

  /// Returns the members that own the given codes.
  public func resolveMemberCodes(
    _ request: ResolveMemberCodesRequest, context: ServerContext
  ) async throws -> ResolveMemberCodesResponse {
    guard request.codes.count <= Self.codesMax else {
      throw FieldFailure(
        field: "codes", reason: "TOO_MANY",
        text: LocalizedText(zh: "最多 1000 个。", en: "At most 1,000."))
    }
    var codes: [[UInt8]: String] = [:]
    for text in request.codes {
      if let code = MemberCode(text) { codes[code.sha256] = text }
    }
    guard !codes.isEmpty else { return ResolveMemberCodesResponse() }
    let found = try await database.read(MemberStore.byCodes(Array(codes.keys)))
    var response = ResolveMemberCodesResponse()
    response.members = found.compactMap { digest, id, group in
      guard let text = codes[digest] else { return nil }
      var member = ResolvedMemberCode()
      member.code = text
      member.member = "members/\(id)"
      member.group = group
      return member
    }
    return response
  }
}
