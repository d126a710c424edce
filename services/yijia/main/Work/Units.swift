import ArgumentParser
import MembersV1

extension ListUnitsRequest: SubtreeRequest, StateRequest {}
extension AssignUnitRequest: ChangeRequest {}
extension GuideUnitRequest: ChangeRequest {}
extension FormUnitUnionRequest: ChangeRequest {}
extension DismissUnitRequest: ChangeRequest, ReasonedRequest {}

extension MembersV1.Unit: Shown, Addressed {
  static let collection = "units"

  var line: String {
    columns(
      name, contractName(state), counted(members, "member"), organization, union, creditCode,
      displayName)
  }
}

/// The unit index: units without a union of their own.
struct Units: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The unit index (单位台账): units with enough members for a union of their own.",
    discussion: """
      A unit whose members in a township reach the threshold is listed; `yijia regions` shows and \
      sets the threshold. A union is assigned that guides the unit, and when the unit has its \
      union, its members move there in one step.

      Examples:
        yijia units list --ancestor q-130302
        yijia units list --state COUNTING --state DISMISSED
        yijia units assign units/ID --to q-130302003
        yijia units guide units/ID
        yijia units form units/ID --to some-company
      """,
    subcommands: [
      ListCommand<List>.self, ActionCommand<Assign>.self, ActionCommand<Guide>.self,
      ActionCommand<Form>.self, ActionCommand<Dismiss>.self,
    ])

  struct List: Worklist {
    static let abstract = "List units by township: by default those that may form a union."
    @OptionGroup var work: WorkOptions<ListUnitsRequest>

    func page(
      _ request: ListUnitsRequest, _ client: SuiteClient
    ) async throws -> (rows: [MembersV1.Unit], next: String) {
      let page = try await client.members.listUnits(request, options: client.options)
      return (page.units, page.nextPageToken)
    }
  }

  struct Assign: Action {
    static let abstract = "Assign the union that guides units above the threshold."
    @Option(help: "The union that is to guide them.") var to: String

    func fill(_ request: inout AssignUnitRequest, _ client: SuiteClient) async throws {
      request.union = try await OrganizationNames.resolve(to, client)
    }

    func send(
      _ request: AssignUnitRequest, _ client: SuiteClient
    ) async throws -> MembersV1.Unit? {
      try await client.members.assignUnit(request, options: client.options).unit
    }
  }

  struct Guide: Action {
    static let abstract = "Record that the guiding union has started."

    func send(
      _ request: GuideUnitRequest, _ client: SuiteClient
    ) async throws -> MembersV1.Unit? {
      try await client.members.guideUnit(request, options: client.options).unit
    }
  }

  struct Form: Action {
    static let abstract = "Record that a unit has its union, and move its members there."
    @Option(help: "The union of the unit; create and approve it first.") var to: String

    func fill(_ request: inout FormUnitUnionRequest, _ client: SuiteClient) async throws {
      request.union = try await OrganizationNames.resolve(to, client)
    }

    func send(
      _ request: FormUnitUnionRequest, _ client: SuiteClient
    ) async throws -> MembersV1.Unit? {
      let formed = try await client.members.formUnitUnion(request, options: client.options)
      Terminal.note("\(counted(formed.membersMoved, "member")) moved to \(request.union)")
      return formed.unit
    }
  }

  struct Dismiss: ReasonedAction {
    static let abstract = "Dismiss units; a new crossing of the threshold lists them again."
    @Option(help: .reason) var reason: String

    func send(
      _ request: DismissUnitRequest, _ client: SuiteClient
    ) async throws -> MembersV1.Unit? {
      try await client.members.dismissUnit(request, options: client.options).unit
    }
  }
}
