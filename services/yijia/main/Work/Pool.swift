import ArgumentParser
import MembersV1

extension ListPoolCasesRequest: SubtreeRequest, StateRequest {}
extension GetPoolCaseRequest: ThingRequest {}
extension AssignPoolCaseRequest: ChangeRequest {}
extension ConfirmPoolCaseRequest: ChangeRequest {}
extension ReturnPoolCaseRequest: ChangeRequest, ReasonedRequest {}

extension PoolCase: Shown, Addressed {
  static let collection = "poolCases"

  var line: String {
    columns(
      name, contractName(state), dayText(dueDate), memberNumber, contractName(group), custodian,
      receiver, counted(level, "escalation"))
  }
}

/// The holding pool.
struct Pool: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The holding pool (周转池): list cases, assign, dispatch, confirm and return them.",
    discussion: """
      A case has a custodian, who finds a union for the member, and a due date; a case that is \
      overdue escalates to the level above.

      Examples:
        yijia pool list --state WAITING
        yijia pool list --overdue --custodian qinhuangdao
        yijia pool assign poolCases/ID poolCases/ID --to qinhuangdao-couriers
        yijia pool dispatch cases.csv
        yijia pool return poolCases/ID --reason "works elsewhere"
      """,
    subcommands: [
      ListCommand<List>.self, ActionCommand<Show>.self, ActionCommand<Assign>.self,
      Dispatch.self, ActionCommand<Confirm>.self, ActionCommand<Return>.self,
    ])

  struct List: Worklist {
    static let abstract = "List cases of the holding pools by due date: by default the open ones."
    @OptionGroup var work: WorkOptions<ListPoolCasesRequest>
    @Option(help: "List the cases that this organization keeps, of any pool.") var custodian = ""
    @Option(help: "List the cases that are assigned to this union, of any pool.")
    var receiver = ""
    @Flag(help: "List only what is past its due date.") var overdue = false

    func narrow(_ request: inout ListPoolCasesRequest, _ client: SuiteClient) async throws {
      try await work.narrow(&request, client)
      request.custodian = try await OrganizationNames.resolve(custodian, client)
      request.receiver = try await OrganizationNames.resolve(receiver, client)
      request.overdue = overdue
    }

    func page(
      _ request: ListPoolCasesRequest, _ client: SuiteClient
    ) async throws -> (rows: [PoolCase], next: String) {
      let page = try await client.members.listPoolCases(request, options: client.options)
      return (page.poolCases, page.nextPageToken)
    }
  }

  struct Show: Action {
    static let abstract = "Show cases, open or not."

    func send(_ request: GetPoolCaseRequest, _ client: SuiteClient) async throws -> PoolCase? {
      try await client.members.getPoolCase(request, options: client.options).poolCase
    }
  }

  struct Assign: Action {
    static let abstract = "Assign waiting cases to a union."
    @Option(help: "The union that is to take the members.") var to: String

    func fill(_ request: inout AssignPoolCaseRequest, _ client: SuiteClient) async throws {
      request.receiver = try await OrganizationNames.resolve(to, client)
    }

    func send(
      _ request: AssignPoolCaseRequest, _ client: SuiteClient
    ) async throws -> PoolCase? {
      try await client.members.assignPoolCase(request, options: client.options).poolCase
    }
  }

  struct Confirm: Action {
    static let abstract = "Accept the members of cases assigned to your union."

    func send(
      _ request: ConfirmPoolCaseRequest, _ client: SuiteClient
    ) async throws -> PoolCase? {
      try await client.members.confirmPoolCase(request, options: client.options).poolCase
    }
  }

  struct Return: ReasonedAction {
    static let abstract = "Return cases assigned to your union: they wait for another one."
    @Option(help: .reason) var reason: String

    func send(
      _ request: ReturnPoolCaseRequest, _ client: SuiteClient
    ) async throws -> PoolCase? {
      try await client.members.returnPoolCase(request, options: client.options).poolCase
    }
  }
}
