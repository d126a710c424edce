import ArgumentParser
import MembersV1

extension ListCorrectionsRequest: SubtreeRequest, StateRequest {}
extension RequestCorrectionRequest: MemberRequest {}
extension DecideCorrectionRequest: ChangeRequest {}

extension Correction: Shown, Addressed {
  static let collection = "corrections"

  var line: String {
    columns(
      name, contractName(state), member, data?.personName ?? "", data?.residentID ?? "",
      data?.phone ?? "")
  }
}

/// Corrections of names, resident IDs and phone numbers.
struct Corrections: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Corrections of names, resident IDs and phone numbers: request, list, decide.",
    discussion: """
      Examples:
        yijia corrections request 23456789013 --phone --reason "has a new number"
        yijia corrections list
        yijia corrections accept corrections/ID --reason "seen on the ID card"
      """,
    subcommands: [
      ListCommand<List>.self, ActionCommand<Ask>.self, ActionCommand<Accept>.self,
      ActionCommand<Decline>.self,
    ])

  struct List: Worklist {
    static let abstract = "List corrections, masked, oldest first: by default the undecided ones."
    @OptionGroup var work: WorkOptions<ListCorrectionsRequest>

    func page(
      _ request: ListCorrectionsRequest, _ client: SuiteClient
    ) async throws -> (rows: [Correction], next: String) {
      let page = try await client.members.listCorrections(request, options: client.options)
      return (page.corrections, page.nextPageToken)
    }
  }

  struct Ask: Action {
    typealias Subject = Member
    static let verb = "request"
    static let abstract = "Request a correction on behalf of a member."
    static let discussion = "Reads a line of standard input for each field to be corrected."
    @Flag(help: "Correct the name.") var personName = false
    @Flag(help: "Correct the resident ID.") var residentID = false
    @Flag(help: "Correct the phone number.") var phone = false
    @Option(help: .reason) var reason: String

    func fill(_ request: inout RequestCorrectionRequest, _ client: SuiteClient) throws {
      var data = CorrectedData()
      if personName { data.personName = try SecretInput.readShown(zh: "姓名", en: "Name") }
      if residentID {
        data.residentID = try SecretInput.readShown(zh: "身份证号", en: "Resident ID")
      }
      if phone { data.phone = try SecretInput.readShown(zh: "手机号", en: "Phone number") }
      (request.data, request.reason) = (data, reason)
    }

    func send(
      _ request: RequestCorrectionRequest, _ client: SuiteClient
    ) async throws -> Correction? {
      try await client.members.requestCorrection(request, options: client.options).correction
    }
  }

  struct Accept: Action {
    static let abstract = "Accept corrections: the data change."
    @Option(help: .reason) var reason: String

    func fill(_ request: inout DecideCorrectionRequest, _ client: SuiteClient) {
      (request.accept, request.reason) = (true, reason)
    }

    func send(
      _ request: DecideCorrectionRequest, _ client: SuiteClient
    ) async throws -> Correction? {
      try await client.members.decideCorrection(request, options: client.options).correction
    }
  }

  struct Decline: Action {
    static let abstract = "Decline corrections: the data stay."
    @Option(help: .reason) var reason: String

    func fill(_ request: inout DecideCorrectionRequest, _ client: SuiteClient) {
      request.reason = reason
    }

    func send(
      _ request: DecideCorrectionRequest, _ client: SuiteClient
    ) async throws -> Correction? {
      try await client.members.decideCorrection(request, options: client.options).correction
    }
  }
}
