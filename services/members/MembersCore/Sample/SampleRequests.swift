public import MembersV1
import Protobuf

/// What is asked for one of the invented members that a store was filled with.
public struct SampleRequests: Sendable {
  public let index: Int
  private let member: SampleMember
  private let seed: UInt64

  /// - Parameters:
  ///   - index: Which member.
  ///   - count: How many the store was filled with, from that seed.
  public init(index: Int, of count: Int, seed: UInt64) {
    self.index = index
    self.seed = seed
    member = SampleMember(index, of: count, seed: seed, organizations: 1)
  }

  /// The member by name.
  public var get: GetMemberRequest { .with { $0.name = "members/\(member.id)" } }

  /// The member by resident ID.
  public var lookup: ListMembersRequest { .with { $0.residentID = member.data.residentID } }

  /// The coverage of the federation that all of them belong to.
  public var coverage: GetCoverageRequest {
    .with { $0.organization = "organizations/\(SampleRegistry.federationID(seed: seed))" }
  }
}
