import MembersV1
import ServiceKit
import Storage

extension EnrollmentFacts {
  /// Decides with the facts that staff may see: for a dry run, which stores nothing and would
  /// otherwise compare any list of people with all members of the country, without audit and quota.
  ///
  /// A person is known to staff if their scope holds the person's membership, or an application
  /// that waits there or that they submitted. Anybody else is decided like an unknown person.
  func shown(
    to caller: Caller, then decide: @escaping @Sendable (EnrollmentFacts) throws -> Step<[UInt8]>
  ) -> Step<[UInt8]> {
    let facts = self
    return .read(EnrollmentStore.byID(known?.openEnrollmentID ?? "")) { open in
      var seen = facts
      let isMember = facts.known?.member.map { facts.scope.holds($0.managingPath) } ?? false
      let isApplicant = open?.isVisible(to: caller, facts.scope) ?? false
      if !isMember, !isApplicant { seen.known = nil }
      return try decide(seen)
    }
  }
}
