public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  private static let honorsMax = 1_000

  /// Lists a member's titles and awards.
  public func listHonors(
    _ request: ListHonorsRequest, context: ServerContext
  ) async throws -> ListHonorsResponse {
    let known = try await member(request.member, for: try context.caller)
    let honors = try await database.read(
      HonorStore.of(known.member.id, limit: Self.honorsMax))
    return .with { $0.honors = honors.map(\.message) }
  }
}
