import ArgumentParser
import MembersV1

extension ListEnrollmentsRequest: SubtreeRequest, StateRequest {}
extension GetEnrollmentRequest: ThingRequest {}
extension ApproveEnrollmentRequest: ChangeRequest {}
extension RefuseEnrollmentRequest: ChangeRequest {}
extension WithdrawEnrollmentRequest: ChangeRequest {}

extension Enrollment: Shown, Addressed {
  static let collection = "enrollments"

  var line: String {
    columns(
      name, contractName(state), personNameMasked, phoneMasked, organization, routeReason)
  }
}

/// Applications that wait for a decision.
struct Enrollments: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Applications for membership: list, approve, refuse, withdraw.",
    discussion: """
      Examples:
        yijia enrollments list --ancestor qinhuangdao
        yijia enrollments approve enrollments/ID
        yijia enrollments refuse enrollments/ID --reason "applied twice"
      """,
    subcommands: [
      ListCommand<List>.self, ActionCommand<Show>.self, ActionCommand<Approve>.self,
      ActionCommand<Refuse>.self, ActionCommand<Withdraw>.self,
    ])

  struct List: Worklist {
    static let abstract = "List applications: by default those that wait for a decision."
    @OptionGroup var work: WorkOptions<ListEnrollmentsRequest>

    func page(
      _ request: ListEnrollmentsRequest, _ client: SuiteClient
    ) async throws -> (rows: [Enrollment], next: String) {
      let page = try await client.members.listEnrollments(request, options: client.options)
      return (page.enrollments, page.nextPageToken)
    }
  }

  struct Show: Action {
    static let abstract = "Show applications, masked, and what became of them."

    func send(
      _ request: GetEnrollmentRequest, _ client: SuiteClient
    ) async throws -> Enrollment? {
      try await client.members.getEnrollment(request, options: client.options).enrollment
    }
  }

  struct Approve: Action {
    static let abstract = "Admit the people of applications that wait."

    func send(
      _ request: ApproveEnrollmentRequest, _ client: SuiteClient
    ) async throws -> Enrollment? {
      try await client.members.approveEnrollment(request, options: client.options).enrollment
    }
  }

  struct Refuse: Action {
    static let abstract = "Refuse applications that wait."
    @Option(
      help: """
        WRONG_DATA, NOT_ELIGIBLE, DUPLICATE, NOT_CONSENTED, or else OTHER, with a reason in your \
        own words.
        """, transform: Arguments.contract)
    var cause: EnrollmentRefusal?
    @Option(help: "Why, in your own words, for the audit log; up to 200 characters.")
    var reason = ""

    func fill(_ request: inout RefuseEnrollmentRequest, _ client: SuiteClient) {
      (request.reason, request.note) = (cause ?? .other, reason)
    }

    func send(
      _ request: RefuseEnrollmentRequest, _ client: SuiteClient
    ) async throws -> Enrollment? {
      try await client.members.refuseEnrollment(request, options: client.options).enrollment
    }
  }

  struct Withdraw: Action {
    static let abstract = "Withdraw applications on behalf of those who applied."

    func send(
      _ request: WithdrawEnrollmentRequest, _ client: SuiteClient
    ) async throws -> Enrollment? {
      try await client.members.withdrawEnrollment(request, options: client.options).enrollment
    }
  }
}
