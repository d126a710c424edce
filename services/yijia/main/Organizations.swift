import ArgumentParser
import MembersV1

extension ApproveOrganizationRequest: ChangeRequest {}
extension SuspendOrganizationRequest: ChangeRequest, ReasonedRequest {}
extension ResumeOrganizationRequest: ChangeRequest {}
extension MoveOrganizationRequest: ChangeRequest {}
extension DissolveOrganizationRequest: ChangeRequest, ReasonedRequest {}
extension CoverOrganizationRequest: ChangeRequest {}
extension UncoverOrganizationRequest: ChangeRequest {}
extension GetOrganizationRequest: ThingRequest {}

extension Organization: Shown, Addressed {
  static let collection = "organizations"

  static func resourceName(of text: String, _ client: SuiteClient) async throws -> String {
    try await OrganizationNames.resolve(text, client)
  }

  var line: String {
    columns(externalID, name, contractName(kind), contractName(state), displayName)
  }
}

struct Organizations: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Find, found, approve, move, dissolve and export organizations; print their codes.",
    discussion: """
      An organization is named by its external id, or as the registry names it: organizations/ID, \
      or the ID alone. `list` and `find` show both.

      Examples:
        yijia organizations list --parent qinhuangdao
        yijia organizations suspend q-couriers --reason "election of a new committee"
        yijia organizations cover q-couriers --organization q-tongda
        yijia organizations list --covered-by q-couriers
      """,
    subcommands: [
      ListCommand<List>.self, Find.self, ActionCommand<Show>.self,
      Create.self, ActionCommand<Approve>.self, Update.self, ActionCommand<Suspend>.self,
      ActionCommand<Resume>.self, ActionCommand<Dissolve>.self, ActionCommand<Move>.self,
      ActionCommand<Cover>.self, ActionCommand<Uncover>.self, Export.self,
      Code.self, ListCommand<Codes>.self, Resolve.self, ActionCommand<Revoke>.self,
    ])

  struct Show: Action {
    static let abstract = "Show organizations."

    func send(
      _ request: GetOrganizationRequest, _ client: SuiteClient
    ) async throws -> Organization? {
      try await client.members.getOrganization(request, options: client.options).organization
    }
  }

  struct Approve: Action {
    static let abstract = "Open organizations that another administrator founded."

    func send(
      _ request: ApproveOrganizationRequest, _ client: SuiteClient
    ) async throws -> Organization? {
      try await client.members.approveOrganization(request, options: client.options).organization
    }
  }

  struct Suspend: ReasonedAction {
    static let abstract = "Let organizations receive nobody for now; their members stay."
    @Option(help: "Why, for the audit log; 2 to 200 characters.") var reason: String

    func send(
      _ request: SuspendOrganizationRequest, _ client: SuiteClient
    ) async throws -> Organization? {
      try await client.members.suspendOrganization(request, options: client.options).organization
    }
  }

  struct Resume: Action {
    static let abstract = "Open suspended organizations again."

    func send(
      _ request: ResumeOrganizationRequest, _ client: SuiteClient
    ) async throws -> Organization? {
      try await client.members.resumeOrganization(request, options: client.options).organization
    }
  }

  struct Move: Action {
    static let abstract = "Move organizations, with everything below them, below another one."
    static let discussion = """
      A move is one step for the whole subtree; --region-code is for the organization itself. \
      Where those below it get other regions too, go by way of an organization whose region \
      contains both.
      Examples:
        yijia organizations move q-tongda --below q-130303 --region-code 130303
        yijia organizations move q-130303001 --below qinhuangdao --region-code 130300
        yijia organizations update ID-OF-ITS-VILLAGE --region-code 130302001001
        yijia organizations move q-130303001 --below q-130302 --region-code 130302001
      """
    @Option(help: "The organization that they shall stand below.") var below: String
    @Option(help: "The GB/T 2260 code of the region there, if that changes.") var regionCode = ""

    func fill(_ request: inout MoveOrganizationRequest, _ client: SuiteClient) async throws {
      request.parent = try await OrganizationNames.resolve(below, client)
      request.regionCode = regionCode
    }

    func send(
      _ request: MoveOrganizationRequest, _ client: SuiteClient
    ) async throws -> Organization? {
      try await client.members.moveOrganization(request, options: client.options).organization
    }
  }

  struct Dissolve: Action {
    static let abstract = "Dissolve organizations for good."
    static let discussion = """
      Refused while organizations stand below one, and while it has members, unless they go to \
      the holding pool of the county or city with it.
      Example: yijia organizations dissolve ID --reason 企业注销 --pool-members
      """
    @Option(help: "Why, for the audit log; 2 to 200 characters.") var reason: String
    @Flag(help: "Its members go to the holding pool in the same step.") var poolMembers = false

    func fill(_ request: inout DissolveOrganizationRequest, _ client: SuiteClient) {
      (request.reason, request.poolMembers) = (reason, poolMembers)
    }

    func send(
      _ request: DissolveOrganizationRequest, _ client: SuiteClient
    ) async throws -> Organization? {
      let done = try await client.members.dissolveOrganization(request, options: client.options)
      if !done.pool.isEmpty {
        Terminal.note("\(counted(done.pooledMembers, "member")) moved to \(done.pool)")
      }
      return done.organization
    }
  }

  struct Cover: Action {
    static let abstract = "Let federations cover a union that stands elsewhere (二次覆盖)."
    @Option(help: "The union to cover.") var organization: String

    func fill(_ request: inout CoverOrganizationRequest, _ client: SuiteClient) async throws {
      request.organization = try await OrganizationNames.resolve(organization, client)
    }

    func send(
      _ request: CoverOrganizationRequest, _ client: SuiteClient
    ) async throws -> Organization? {
      try await client.members.coverOrganization(request, options: client.options).organization
    }
  }

  struct Uncover: Action {
    static let abstract = "Let federations cover a union no longer."
    @Option(help: "The union that is covered.") var organization: String

    func fill(_ request: inout UncoverOrganizationRequest, _ client: SuiteClient) async throws {
      request.organization = try await OrganizationNames.resolve(organization, client)
    }

    func send(
      _ request: UncoverOrganizationRequest, _ client: SuiteClient
    ) async throws -> Organization? {
      try await client.members.uncoverOrganization(request, options: client.options).organization
    }
  }
}
