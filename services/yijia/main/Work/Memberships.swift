import ArgumentParser
import MembersV1

extension RetainMemberRequest: ChangeRequest, ReasonedRequest {}
extension RestoreMemberRequest: ChangeRequest, ReasonedRequest {}
extension LeaveUnionRequest: ChangeRequest, ReasonedRequest {}
extension ExpelMemberRequest: ChangeRequest, ReasonedRequest {}
extension RecordDeathRequest: ChangeRequest, ReasonedRequest {}
extension ErasePersonalDataRequest: ChangeRequest, ReasonedRequest {}

/// Changes of the state of memberships.
extension Members {
  struct Retain: Action {
    static let abstract = "Retain memberships while members are jobless or retired (保留会籍)."
    @Option(help: "JOBLESS or RETIRED.", transform: Arguments.contract) var cause: RetentionCause
    @Option(help: .reason) var reason: String

    func fill(_ request: inout RetainMemberRequest, _ client: SuiteClient) {
      (request.cause, request.reason) = (cause, reason)
    }

    func send(
      _ request: RetainMemberRequest, _ client: SuiteClient
    ) async throws -> MembershipSummary? {
      try await client.members.retainMember(request, options: client.options).membership
    }
  }

  struct Restore: ReasonedAction {
    static let abstract = "Make retained memberships active again."
    @Option(help: .reason) var reason: String

    func send(
      _ request: RestoreMemberRequest, _ client: SuiteClient
    ) async throws -> MembershipSummary? {
      try await client.members.restoreMember(request, options: client.options).membership
    }
  }

  struct Leave: ReasonedAction {
    static let abstract = "End memberships at the members' wish; they may join again."
    @Option(help: .reason) var reason: String

    func send(
      _ request: LeaveUnionRequest, _ client: SuiteClient
    ) async throws -> MembershipSummary? {
      try await client.members.leaveUnion(request, options: client.options).membership
    }
  }

  struct Expel: ReasonedAction {
    static let abstract = "Expel members; no application revives the membership."
    @Option(help: .reason) var reason: String

    func send(
      _ request: ExpelMemberRequest, _ client: SuiteClient
    ) async throws -> MembershipSummary? {
      try await client.members.expelMember(request, options: client.options).membership
    }
  }

  struct Deceased: ReasonedAction {
    static let abstract = "Record that members have died."
    @Option(help: .reason) var reason: String

    func send(
      _ request: RecordDeathRequest, _ client: SuiteClient
    ) async throws -> MembershipSummary? {
      try await client.members.recordDeath(request, options: client.options).membership
    }
  }

  struct Erase: ReasonedAction {
    static let abstract = "Erase people at their wish, for good: their data, and a live membership."
    static let discussion = """
      A tombstone without personal data remains. A person who applied and never became a member \
      is named by an application.
      Example: yijia members erase enrollments/ID --reason "asked for in writing"
      """
    @Option(help: .reason) var reason: String

    func send(
      _ request: ErasePersonalDataRequest, _ client: SuiteClient
    ) async throws -> MembershipSummary? {
      try await client.members.erasePersonalData(request, options: client.options).membership
    }
  }
}
