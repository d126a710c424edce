public import MembersV1
import Protobuf

/// Requests for one of the generated members of a store.
public struct SampleRequests: Sendable {
  /// The number of the member.
  public let index: Int
  private let member: SampleMember
  private let seed: UInt64

  /// - Parameters:
  ///   - index: The number of the member.
  ///   - count: The number of members generated in the store from that seed.
  public init(index: Int, of count: Int, seed: UInt64) {
    self.index = index
    self.seed = seed
    member = SampleMember(index, of: count, seed: seed, organizations: 1)
  }

  /// A request for the member by name.
  public var get: GetMemberRequest { .with { $0.name = "members/\(member.id)" } }

  /// A request for the member by resident ID.
  public var lookup: ListMembersRequest { .with { $0.residentID = member.data.residentID } }

  /// A request for the coverage of the federation above all generated members.
  public var coverage: GetCoverageRequest {
    .with { $0.organization = "organizations/\(SampleRegistry.federationID(seed: seed))" }
  }
}
