import ArgumentParser
import Foundation
import GoogleType
import MembersV1

extension ListRefreshRoundsRequest: SubtreeRequest {}
extension ListRefreshRecordsRequest: StateRequest {}
extension GetRefreshRoundRequest: ThingRequest {}
extension CloseRefreshRoundRequest: ChangeRequest {}
extension MarkUnreachableRequest: MemberRequest {}
extension RevealRefreshRecordRequest: ReasonedRequest {
  var name: String {
    get { member }
    set { member = newValue }
  }
}

extension RefreshRound: Shown, Addressed {
  static let collection = "refreshRounds"

  var line: String {
    columns(
      name, closed ? "CLOSED" : "OPEN", dayText(openDate), dayText(dueDate), organization,
      "\(staleRecords) stale", "\(confirmedRecords) confirmed",
      "\(unreachableRecords) unreachable", "\(endedRecords) ended")
  }
}

extension RefreshRecord: Shown {
  var line: String { columns(member, memberNumber, contractName(state), dayText(date)) }
}

extension RevealRefreshRecordResponse: Shown {
  var line: String { columns(record?.member ?? "", personName, phone) }
}

/// Refresh rounds.
struct Refresh: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Refresh rounds (数据更新): confirm the records that are stale.",
    discussion: """
      A record that was not confirmed for three months is stale. A round lists the stale records \
      of a subtree and tracks what became of them; `yijia members confirm` confirms a record in \
      every open round.

      Examples:
        yijia refresh open --organization shenyang --due 2026-12-31
        yijia refresh list
        yijia refresh records refreshRounds/ID
        yijia refresh reveal members/ID --round refreshRounds/ID --reason "quarterly call"
        yijia members confirm members/ID
        yijia refresh unreachable members/ID --round refreshRounds/ID
        yijia refresh close refreshRounds/ID
      """,
    subcommands: [
      ListCommand<List>.self, Open.self, ActionCommand<Show>.self, ListCommand<Records>.self,
      ActionCommand<Reveal>.self, ActionCommand<Unreachable>.self, ActionCommand<Close>.self,
    ])

  struct List: Listed {
    static let abstract = "List rounds with their progress, newest first: by default the open ones."
    @OptionGroup var subtree: SubtreeOption
    @Flag(help: "List closed rounds, too.") var closed = false

    func narrow(_ request: inout ListRefreshRoundsRequest, _ client: SuiteClient) async throws {
      try await subtree.narrow(&request, client)
      request.includeClosed = closed
    }

    func page(
      _ request: ListRefreshRoundsRequest, _ client: SuiteClient
    ) async throws -> (rows: [RefreshRound], next: String) {
      let page = try await client.members.listRefreshRounds(request, options: client.options)
      return (page.rounds, page.nextPageToken)
    }
  }

  struct Open: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Open a round over the stale records of a subtree.",
      discussion: "Example: yijia refresh open --organization shenyang --due 2026-12-31")

    @OptionGroup var connection: ConnectionOptions
    @Option(help: "The organization of the subtree. [default: your own]") var organization = ""
    @Option(help: "The last day, as 2026-12-31; not before today.", transform: Arguments.day)
    var due: GoogleType.Date
    @Flag(help: "Include the records that were confirmed within three months.") var all = false

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = OpenRefreshRoundRequest()
        request.requestID = UUID().uuidString
        request.organization = try await OrganizationNames.resolve(organization, client)
        (request.dueDate, request.allRecords) = (due, all)
        let opened = try await client.members.openRefreshRound(request, options: client.options)
        Terminal.say(opened.round?.line ?? "")
      }
    }
  }

  struct Show: Action {
    static let abstract = "Show the progress of rounds."

    func send(
      _ request: GetRefreshRoundRequest, _ client: SuiteClient
    ) async throws -> RefreshRound? {
      try await client.members.getRefreshRound(request, options: client.options).round
    }
  }

  struct Records: Listed {
    static let abstract = "List the records of a round: by default the stale ones."
    @Argument(help: "The round, as `list` shows it.") var round: String
    @OptionGroup var states: StateOption<ListRefreshRecordsRequest>

    func narrow(_ request: inout ListRefreshRecordsRequest, _ client: SuiteClient) async throws {
      request.round = try await RefreshRound.resourceName(of: round, client)
      states.narrow(&request)
    }

    func page(
      _ request: ListRefreshRecordsRequest, _ client: SuiteClient
    ) async throws -> (rows: [RefreshRecord], next: String) {
      let page = try await client.members.listRefreshRecords(request, options: client.options)
      return (page.records, page.nextPageToken)
    }
  }

  struct Reveal: Action {
    typealias Subject = Member
    static let abstract = "Show the names and phone numbers of members who are to be called."
    @Option(help: "The round.") var round: String
    @Option(help: .reason) var reason: String

    func fill(
      _ request: inout RevealRefreshRecordRequest, _ client: SuiteClient
    ) async throws {
      request.round = try await RefreshRound.resourceName(of: round, client)
      request.reason = reason
    }

    func send(
      _ request: RevealRefreshRecordRequest, _ client: SuiteClient
    ) async throws -> RevealRefreshRecordResponse? {
      try await client.members.revealRefreshRecord(request, options: client.options)
    }
  }

  struct Unreachable: Action {
    typealias Subject = Member
    static let abstract = "Record that members were not reached; they may be confirmed later."
    @Option(help: "The round.") var round: String

    func fill(_ request: inout MarkUnreachableRequest, _ client: SuiteClient) async throws {
      request.round = try await RefreshRound.resourceName(of: round, client)
    }

    func send(
      _ request: MarkUnreachableRequest, _ client: SuiteClient
    ) async throws -> RefreshRecord? {
      try await client.members.markUnreachable(request, options: client.options).record
    }
  }

  struct Close: Action {
    static let abstract = "Close rounds; their records stay as they are."

    func send(
      _ request: CloseRefreshRoundRequest, _ client: SuiteClient
    ) async throws -> RefreshRound? {
      try await client.members.closeRefreshRound(request, options: client.options).round
    }
  }
}
