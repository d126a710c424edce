import ArgumentParser
import MembersV1

extension ListTransfersRequest: SubtreeRequest, StateRequest {}
extension GetTransferRequest: ThingRequest {}
extension AcceptTransferRequest: ChangeRequest {}
extension DeclineTransferRequest: ChangeRequest, ReasonedRequest {}
extension CancelTransferRequest: ChangeRequest, ReasonedRequest {}
extension RequestTransferRequest: MemberRequest, ReasonedRequest {}

extension Transfer: Shown, Addressed {
  static let collection = "transfers"

  var line: String {
    columns(
      name, contractName(state), dayText(dueDate), memberNumber, fromOrganization, toOrganization)
  }
}

/// Transfers.
struct Transfers: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Transfers to your unions: list, accept, decline; request or cancel for members.",
    discussion: """
      Examples:
        yijia transfers accept transfers/ID
        yijia transfers decline transfers/ID --reason "no longer works here"
        yijia transfers request 23456789013 --to q-couriers --reason "asked at the counter"
      """,
    subcommands: [
      ListCommand<List>.self, ActionCommand<Show>.self, ActionCommand<Accept>.self,
      ActionCommand<Decline>.self, ActionCommand<Ask>.self, ActionCommand<Cancel>.self,
    ])

  struct List: Worklist {
    static let abstract = "List transfers by due date: by default those that wait for a decision."
    @OptionGroup var work: WorkOptions<ListTransfersRequest>

    func page(
      _ request: ListTransfersRequest, _ client: SuiteClient
    ) async throws -> (rows: [Transfer], next: String) {
      let page = try await client.members.listTransfers(request, options: client.options)
      return (page.transfers, page.nextPageToken)
    }
  }

  struct Show: Action {
    static let abstract = "Show transfers, decided or not."

    func send(_ request: GetTransferRequest, _ client: SuiteClient) async throws -> Transfer? {
      try await client.members.getTransfer(request, options: client.options).transfer
    }
  }

  struct Accept: Action {
    static let abstract = "Take the members of transfers into your union."

    func send(
      _ request: AcceptTransferRequest, _ client: SuiteClient
    ) async throws -> Transfer? {
      try await client.members.acceptTransfer(request, options: client.options).transfer
    }
  }

  struct Decline: ReasonedAction {
    static let abstract = "Decline transfers to your union."
    @Option(help: .reason) var reason: String

    func send(
      _ request: DeclineTransferRequest, _ client: SuiteClient
    ) async throws -> Transfer? {
      try await client.members.declineTransfer(request, options: client.options).transfer
    }
  }

  struct Ask: Action {
    typealias Subject = Member
    static let verb = "request"
    static let abstract = "Request transfers on behalf of members."
    @Option(help: "The union that is to take them.") var to: String
    @Option(help: .reason) var reason: String

    func fill(_ request: inout RequestTransferRequest, _ client: SuiteClient) async throws {
      request.toOrganization = try await OrganizationNames.resolve(to, client)
      request.reason = reason
    }

    func send(
      _ request: RequestTransferRequest, _ client: SuiteClient
    ) async throws -> Transfer? {
      try await client.members.requestTransfer(request, options: client.options).transfer
    }
  }

  struct Cancel: ReasonedAction {
    static let abstract = "Withdraw transfers on behalf of members."
    @Option(help: .reason) var reason: String

    func send(
      _ request: CancelTransferRequest, _ client: SuiteClient
    ) async throws -> Transfer? {
      try await client.members.cancelTransfer(request, options: client.options).transfer
    }
  }
}
