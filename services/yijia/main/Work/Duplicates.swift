import ArgumentParser
import MembersV1

extension ListDuplicatesRequest: SubtreeRequest, StateRequest {}
extension JudgeDuplicateRequest: ChangeRequest, ReasonedRequest {}
extension UndoMergeRequest: ChangeRequest, ReasonedRequest {}

extension Duplicate: Shown, Addressed {
  static let collection = "duplicates"

  var line: String {
    columns(
      name, contractName(state), contractName(kind), person?.member ?? "", other?.member ?? "")
  }
}

/// Possible duplicates.
struct Duplicates: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Possible duplicates: list, merge, tell apart, undo a merge.",
    discussion: """
      Examples:
        yijia duplicates merge duplicates/ID --to members/ID --reason "the same person, by phone"
        yijia duplicates distinguish duplicates/ID --reason "brothers"
      """,
    subcommands: [
      ListCommand<List>.self, ActionCommand<Merge>.self, ActionCommand<Distinguish>.self,
      ActionCommand<Undo>.self,
    ])

  struct List: Worklist {
    static let abstract = "List possible duplicates, oldest first: by default those to be judged."
    @OptionGroup var work: WorkOptions<ListDuplicatesRequest>

    func page(
      _ request: ListDuplicatesRequest, _ client: SuiteClient
    ) async throws -> (rows: [Duplicate], next: String) {
      let page = try await client.members.listDuplicates(request, options: client.options)
      return (page.duplicates, page.nextPageToken)
    }
  }

  struct Merge: Action {
    static let abstract = "Merge two records of one person."
    @Option(help: "The member whose record remains.") var to: String
    @Option(help: .reason) var reason: String

    func fill(_ request: inout JudgeDuplicateRequest, _ client: SuiteClient) async throws {
      // Without a survivor the records would be told apart.
      guard !to.isEmpty else { throw ValidationError("--to names the member who remains") }
      (request.survivor, request.reason) = (try await Member.resourceName(of: to, client), reason)
    }

    func send(
      _ request: JudgeDuplicateRequest, _ client: SuiteClient
    ) async throws -> Duplicate? {
      try await client.members.judgeDuplicate(request, options: client.options).duplicate
    }
  }

  struct Distinguish: ReasonedAction {
    static let abstract = "Record that two records are two people."
    @Option(help: .reason) var reason: String

    func send(
      _ request: JudgeDuplicateRequest, _ client: SuiteClient
    ) async throws -> Duplicate? {
      try await client.members.judgeDuplicate(request, options: client.options).duplicate
    }
  }

  struct Undo: ReasonedAction {
    static let abstract = "Undo a merge; both records are as before."
    @Option(help: .reason) var reason: String

    func send(_ request: UndoMergeRequest, _ client: SuiteClient) async throws -> Duplicate? {
      try await client.members.undoMerge(request, options: client.options).duplicate
    }
  }
}
