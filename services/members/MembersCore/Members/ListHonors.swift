public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  static let honorsMax = 1_000

  /// Lists a member's titles and awards, for staff and for the member.
  public func listHonors(
    _ request: ListHonorsRequest, context: ServerContext
  ) async throws -> ListHonorsResponse {
    let caller = try context.caller
    let id = try caller.member(named: request.member, field: "member")
    let (scope, known, honors) = try await database.read(
      StaffScope.query(of: caller), MemberStore.byID(id),
      HonorStore.of(id, limit: Self.honorsMax))
    guard let known, caller.actsFor(known, scope) else { throw MembersError.memberNotFound }
    return .with { $0.honors = honors.map(\.message) }
  }
}
