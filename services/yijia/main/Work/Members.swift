import ArgumentParser
import Foundation
import MembersV1
import ServiceKit

extension ListMembersRequest: SubtreeRequest, StateRequest {}
extension ListMembershipLogRequest: PageRequest {}
extension GetMemberRequest: ThingRequest {}
extension RevealMemberRequest: ChangeRequest, ReasonedRequest {}
extension GetMemberCodeRequest: ThingRequest {}
extension ConfirmMemberRequest: ChangeRequest {}
extension ListHonorsRequest: ThingRequest {
  var name: String {
    get { member }
    set { member = newValue }
  }
}

extension RevealMemberResponse: Shown {
  var line: String { columns(name, personName, residentID, phone) }
}

extension GetMemberCodeResponse: Shown {
  var line: String { code }
}

extension ConfirmMemberResponse: Shown {
  var line: String { "confirmed \(dayText(confirmDate))" }
}

extension ListHonorsResponse: Shown {
  var line: String {
    honors.map { honor in
      columns(
        honor.member, dayText(honor.date), honor.title, honor.revoked ? "revoked" : "")
    }.joined(separator: "\n")
  }
}

extension MembershipLogRecord: Shown {
  var line: String {
    columns(
      "\(version)", dayText(date), contractName(action),
      fromState == .unspecified ? "" : contractName(fromState), contractName(toState),
      managingOrganization, actor)
  }
}

/// Members and their memberships.
struct Members: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Members: find, reveal, confirm, retain, expel; export and erase their data.",
    discussion: """
      A member is named by the number that people read out, or as the registry names it: \
      members/ID, or the ID alone. Names and phone numbers are masked; `reveal` shows them, and \
      its reason is in the audit log.

      Examples:
        yijia members list --ancestor q-130302 --group COURIER
        yijia members find                    reads a resident ID, and shows its member
        yijia members reveal 23456789013 --reason "phone call on a claim"
        yijia members retain 23456789013 --cause RETIRED --reason "retired in May"
        yijia members update 23456789013 --platform 蓝骑配送 --reason "changed the platform"
      """,
    subcommands: [
      ListCommand<List>.self, Find.self, ActionCommand<Show>.self, ListCommand<Log>.self,
      ActionCommand<Honors>.self, ActionCommand<Code>.self, ActionCommand<Reveal>.self,
      ActionCommand<Confirm>.self, Update.self, ActionCommand<Retain>.self,
      ActionCommand<Restore>.self, ActionCommand<Leave>.self, ActionCommand<Expel>.self,
      ActionCommand<Deceased>.self, Export.self, ActionCommand<Erase>.self,
    ])

  struct List: Worklist {
    static let abstract = "List members, masked, by number: by default the live ones."
    @OptionGroup var work: WorkOptions<ListMembersRequest>
    @Option(help: "An occupation group; may be repeated.", transform: Arguments.contract)
    var group: [OccupationGroup] = []

    func narrow(_ request: inout ListMembersRequest, _ client: SuiteClient) async throws {
      try await work.narrow(&request, client)
      request.groups = group
    }

    func page(
      _ request: ListMembersRequest, _ client: SuiteClient
    ) async throws -> (rows: [Member], next: String) {
      let page = try await client.members.listMembers(request, options: client.options)
      return (page.members, page.nextPageToken)
    }
  }

  struct Find: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the member of a resident ID, in any state.",
      discussion: "Reads the resident ID from standard input.")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = ListMembersRequest()
        request.residentID = try SecretInput.readShown(zh: "身份证号", en: "Resident ID")
        // Without one the list would be of all members.
        guard !request.residentID.isEmpty else {
          throw ConfigurationError(zh: "身份证号是空的", en: "the resident ID is empty")
        }
        request.states = MembershipState.allCases.filter { $0.rawValue > 0 }
        let found = try await client.members.listMembers(request, options: client.options).members
        for member in found { Terminal.say(member.line) }
        if found.isEmpty {
          Terminal.note(
            Terminal.text(
              zh: "您能看到的会员都没有这个身份证号", en: "no member that you see has this resident ID"))
        }
      }
    }
  }

  struct Show: Action {
    static let abstract = "Show members, masked."

    func send(_ request: GetMemberRequest, _ client: SuiteClient) async throws -> Member? {
      try await client.members.getMember(request, options: client.options).member
    }
  }

  struct Log: Listed {
    static let abstract = "Show what became of a membership, oldest first, and who changed it."
    @Argument(help: "The member: a number, or members/ID.") var member: String

    func narrow(_ request: inout ListMembershipLogRequest, _ client: SuiteClient) async throws {
      request.name = try await Member.resourceName(of: member, client)
    }

    func page(
      _ request: ListMembershipLogRequest, _ client: SuiteClient
    ) async throws -> (rows: [MembershipLogRecord], next: String) {
      let page = try await client.members.listMembershipLog(request, options: client.options)
      return (page.entries, page.nextPageToken)
    }
  }

  struct Honors: Action {
    typealias Subject = Member
    static let abstract = "Show the titles and awards of members."

    func send(
      _ request: ListHonorsRequest, _ client: SuiteClient
    ) async throws -> ListHonorsResponse? {
      var (request, found) = (request, ListHonorsResponse())
      repeat {
        let page = try await client.members.listHonors(request, options: client.options)
        found.honors += page.honors
        request.pageToken = page.nextPageToken
      } while !request.pageToken.isEmpty
      return found.honors.isEmpty ? nil : found
    }
  }

  struct Code: Action {
    typealias Subject = Member
    static let abstract = "Show the own codes of members, as their cards have them."

    func send(
      _ request: GetMemberCodeRequest, _ client: SuiteClient
    ) async throws -> GetMemberCodeResponse? {
      try await client.members.getMemberCode(request, options: client.options)
    }
  }

  struct Reveal: ReasonedAction {
    typealias Subject = Member
    static let abstract = "Show names, resident IDs and phone numbers in full."
    @Option(help: .reason) var reason: String

    func send(
      _ request: RevealMemberRequest, _ client: SuiteClient
    ) async throws -> RevealMemberResponse? {
      try await client.members.revealMember(request, options: client.options)
    }
  }

  struct Confirm: Action {
    typealias Subject = Member
    static let abstract = "Record that the data of members are correct today."

    func send(
      _ request: ConfirmMemberRequest, _ client: SuiteClient
    ) async throws -> ConfirmMemberResponse? {
      try await client.members.confirmMember(request, options: client.options)
    }
  }

  struct Update: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Change the work details of a member; what is not named stays.",
      discussion: """
        Names, resident IDs and phone numbers are changed by `yijia corrections`.
        Example: yijia members update 23456789013 --group COURIER --reason "changed jobs"
        """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The member: a number, or members/ID.") var member: String
    @Option(help: "Occupation group.", transform: Arguments.contract) var group: OccupationGroup?
    @Option(help: "The employer's name.") var employerName: String?
    @Option(help: "The employer's unified social credit code.") var employerCreditCode: String?
    @Option(help: "The platform for which the member works.") var platform: String?
    @Option(help: "The license plate of the member's vehicle.") var vehiclePlate: String?
    @Option(help: "The vehicle classes of the member's license, for example A2.")
    var driverLicense: String?
    @Option(help: "The clarity of the labour relation.", transform: Arguments.contract)
    var labourRelation: LabourRelation?
    @Option(help: "Whether the member is a migrant worker: true or false.")
    var migrantWorker: Bool?
    @Option(help: "Whether the member works in a new form of employment: true or false.")
    var newFormWorker: Bool?
    @Option(help: .reason) var reason: String

    func run() async throws {
      try await connection.with(.staff) { client in
        var get = GetMemberRequest()
        get.name = try await Member.resourceName(of: member, client)
        var known = try await client.members.getMember(get, options: client.options).member
        if known?.details == nil { known?.details = MemberDetails() }
        var changes = FieldChanges(of: known ?? Member())
        changes.set(\.group, "group", to: group)
        changes.set(\.details!.employerName, "details.employer_name", to: employerName)
        changes.set(
          \.details!.employerCreditCode, "details.employer_credit_code", to: employerCreditCode)
        changes.set(\.details!.platform, "details.platform", to: platform)
        changes.set(\.details!.vehiclePlate, "details.vehicle_plate", to: vehiclePlate)
        changes.set(\.details!.driverLicense, "details.driver_license", to: driverLicense)
        changes.set(\.details!.labourRelation, "details.labour_relation", to: labourRelation)
        changes.set(
          \.details!.migrantWorker, "details.migrant_worker", to: migrantWorker.map { .some($0) })
        changes.set(
          \.details!.newFormWorker, "details.new_form_worker", to: newFormWorker.map { .some($0) })
        var request = UpdateMemberRequest()
        request.requestID = UUID().uuidString
        (request.member, request.updateMask) = try changes.finish()
        request.reason = reason
        let updated = try await client.members.updateMember(request, options: client.options)
        Terminal.say(updated.membership?.line ?? "")
      }
    }
  }
}
