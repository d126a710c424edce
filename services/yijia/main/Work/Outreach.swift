import ArgumentParser
import Foundation
import GoogleType
import MembersV1

extension ListOutreachListsRequest: SubtreeRequest {}
extension ListOutreachEntriesRequest: StateRequest {}
extension GetOutreachListRequest: ThingRequest {}
extension RevealOutreachEntryRequest: ReasonedRequest {}
extension RecordOutreachRequest: ChangeRequest {}
extension CloseOutreachListRequest: ChangeRequest {}

extension OutreachList: Shown, Addressed {
  static let collection = "outreachLists"

  var line: String {
    let progress = counts.map { "\(contractName($0.state)) \($0.people)" }
    return columns(
      name, closed ? "CLOSED" : "OPEN", contractName(means), dayText(dueDate), organization,
      displayName, progress.joined(separator: ", "))
  }
}

extension OutreachEntry: Shown, Addressed {
  static let collection = "outreachEntries"

  var line: String { columns(name, contractName(state), dayText(date), personName, phone) }
}

extension RevealOutreachEntryResponse: Shown {
  var line: String {
    let contact = contact ?? OutreachContact()
    return columns(
      entry?.name ?? "", contact.personName, contact.phone, contact.unitName, contact.address)
  }
}

/// Outreach lists.
struct Outreach: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Outreach lists: contact the people of a roster who are not members.",
    discussion: """
      Examples:
        yijia outreach create --display-name 货运名册走访 --means VISIT --due 2026-12-31
        yijia roster compare roster.csv --purpose "license roster of May" --list outreachLists/ID
        yijia outreach entries outreachLists/ID
        yijia outreach reveal outreachEntries/ID --reason "first visit"
        yijia outreach record outreachEntries/ID --state CONTACTED
      """,
    subcommands: [
      ListCommand<List>.self, Create.self, ActionCommand<Show>.self, ListCommand<Entries>.self,
      ActionCommand<Reveal>.self, ActionCommand<Record>.self, ActionCommand<Close>.self,
    ])

  struct List: Listed {
    static let abstract = "List the outreach lists of a subtree: by default the open ones."
    @OptionGroup var subtree: SubtreeOption
    @Flag(help: "List closed ones, too.") var closed = false

    func narrow(_ request: inout ListOutreachListsRequest, _ client: SuiteClient) async throws {
      try await subtree.narrow(&request, client)
      request.includeClosed = closed
    }

    func page(
      _ request: ListOutreachListsRequest, _ client: SuiteClient
    ) async throws -> (rows: [OutreachList], next: String) {
      let page = try await client.members.listOutreachLists(request, options: client.options)
      return (page.outreachLists, page.nextPageToken)
    }
  }

  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Create an empty list; `yijia roster compare --list` adds people.")

    @OptionGroup var connection: ConnectionOptions
    @Option(help: "What people call it; 2 to 100 characters.") var displayName: String
    @Option(help: "SMS, PHONE or VISIT.", transform: Arguments.contract) var means: OutreachMeans
    @Option(help: "The last day for contacting everybody.", transform: Arguments.day)
    var due: GoogleType.Date?
    @Option(help: "The organization whose staff work on it. [default: your own]")
    var organization = ""

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = CreateOutreachListRequest()
        request.requestID = UUID().uuidString
        request.organization = try await OrganizationNames.resolve(organization, client)
        (request.displayName, request.means, request.dueDate) = (displayName, means, due)
        let made = try await client.members.createOutreachList(request, options: client.options)
        Terminal.say(made.outreachList?.line ?? "")
      }
    }
  }

  struct Show: Action {
    static let abstract = "Show the progress of lists."

    func send(
      _ request: GetOutreachListRequest, _ client: SuiteClient
    ) async throws -> OutreachList? {
      try await client.members.getOutreachList(request, options: client.options).outreachList
    }
  }

  struct Entries: Listed {
    static let abstract = "List the people of a list, masked: by default those to be contacted."
    @Argument(help: "The list, as `list` shows it.") var list: String
    @OptionGroup var states: StateOption<ListOutreachEntriesRequest>

    func narrow(_ request: inout ListOutreachEntriesRequest, _ client: SuiteClient) async throws {
      request.list = try await OutreachList.resourceName(of: list, client)
      states.narrow(&request)
    }

    func page(
      _ request: ListOutreachEntriesRequest, _ client: SuiteClient
    ) async throws -> (rows: [OutreachEntry], next: String) {
      let page = try await client.members.listOutreachEntries(request, options: client.options)
      return (page.entries, page.nextPageToken)
    }
  }

  struct Reveal: ReasonedAction {
    typealias Subject = OutreachEntry
    static let abstract = "Show name, phone number, unit and address of people."
    @Option(help: .reason) var reason: String

    func send(
      _ request: RevealOutreachEntryRequest, _ client: SuiteClient
    ) async throws -> RevealOutreachEntryResponse? {
      try await client.members.revealOutreachEntry(request, options: client.options)
    }
  }

  struct Record: Action {
    static let abstract = "Record what came of contacting people; DECLINED is final."
    @Option(help: "CONTACTED, NOT_REACHED or DECLINED.", transform: Arguments.contract)
    var state: OutreachState
    @Option(help: "A note for the audit log, without personal data; up to 200 characters.")
    var note = ""

    func fill(_ request: inout RecordOutreachRequest, _ client: SuiteClient) {
      (request.state, request.note) = (state, note)
    }

    func send(
      _ request: RecordOutreachRequest, _ client: SuiteClient
    ) async throws -> OutreachEntry? {
      try await client.members.recordOutreach(request, options: client.options).entry
    }
  }

  struct Close: Action {
    static let abstract = "Close lists: their people are erased, their progress stays."

    func send(
      _ request: CloseOutreachListRequest, _ client: SuiteClient
    ) async throws -> OutreachList? {
      try await client.members.closeOutreachList(request, options: client.options).outreachList
    }
  }
}
