import ArgumentParser
import Protobuf

/// A request for a page of a list.
protocol PageRequest: Sendable {
  init()
  var pageSize: Int32 { get set }
  var pageToken: String { get set }
}

/// A paged list, with the options that narrow it.
protocol Listed: Verb {
  associatedtype Request: PageRequest
  associatedtype Row: Shown

  /// Puts the options into the request.
  func narrow(_ request: inout Request, _ client: SuiteClient) async throws

  /// Returns a page, and the token of the next one.
  func page(
    _ request: Request, _ client: SuiteClient
  ) async throws -> (rows: [Row], next: String)
}

/// `yijia NOUN list`: all pages of a list, a line for each row.
struct ListCommand<Rows: Listed>: AsyncParsableCommand {
  static var configuration: CommandConfiguration { Rows.commandConfiguration }

  /// As many rows as a page may have.
  private static var pageRows: Int32 { 1_000 }

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var rows: Rows

  func run() async throws {
    try await connection.with(.staff) { client in
      var request = Rows.Request()
      request.pageSize = Self.pageRows
      try await rows.narrow(&request, client)
      repeat {
        let page = try await rows.page(request, client)
        for row in page.rows { Terminal.say(row.line) }
        request.pageToken = page.next
      } while !request.pageToken.isEmpty
    }
  }
}

/// A request for a page of what stands below an organization.
protocol SubtreeRequest: PageRequest {
  var ancestor: String { get set }
}

/// A request for a page of things in some states.
protocol StateRequest: PageRequest {
  associatedtype State: Enumeration
  var states: [State] { get set }
}

struct SubtreeOption: ParsableArguments {
  @Option(help: "The organization whose subtree is listed. [default: your own]")
  var ancestor = ""

  func narrow(_ request: inout some SubtreeRequest, _ client: SuiteClient) async throws {
    request.ancestor = try await OrganizationNames.resolve(ancestor, client)
  }
}

struct StateOption<Request: StateRequest>: ParsableArguments {
  @Option(
    help: "A state to list; may be repeated. [default: as said above]",
    transform: Arguments.contract)
  var state: [Request.State] = []

  func narrow(_ request: inout Request) { request.states = state }
}

/// The options of a list of what waits for somebody in a subtree.
struct WorkOptions<Request: SubtreeRequest & StateRequest>: ParsableArguments {
  @OptionGroup var subtree: SubtreeOption
  @OptionGroup var states: StateOption<Request>

  func narrow(_ request: inout Request, _ client: SuiteClient) async throws {
    try await subtree.narrow(&request, client)
    states.narrow(&request)
  }
}

/// A list of what waits for somebody in a subtree.
protocol Worklist: Listed where Request: SubtreeRequest & StateRequest {
  var work: WorkOptions<Request> { get }
}

extension Worklist {
  func narrow(_ request: inout Request, _ client: SuiteClient) async throws {
    try await work.narrow(&request, client)
  }
}
