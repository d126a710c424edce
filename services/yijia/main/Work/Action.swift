import ArgumentParser
import Foundation

/// A request about one thing.
protocol ThingRequest: Sendable {
  init()
  var name: String { get set }
  /// Begins the request: names the thing, and identifies the request where the contract wants it.
  mutating func begin(_ name: String)
}

extension ThingRequest {
  mutating func begin(_ name: String) { self.name = name }
}

/// A request that changes one thing: a new act each time.
protocol ChangeRequest: ThingRequest {
  var requestID: String { get set }
}

extension ChangeRequest {
  mutating func begin(_ name: String) { (self.name, requestID) = (name, UUID().uuidString) }
}

/// A request whose reason is written to the audit log.
protocol ReasonedRequest: ThingRequest {
  var reason: String { get set }
}

/// What is done with one thing, with the options that it takes.
protocol Action: Verb {
  associatedtype Request: ThingRequest
  associatedtype Reply: Shown
  /// What the command names, where it is not what the reply shows.
  associatedtype Subject: Addressed = Reply

  /// Puts the options into the request.
  func fill(_ request: inout Request, _ client: SuiteClient) async throws

  func send(_ request: Request, _ client: SuiteClient) async throws -> Reply?
}

extension Action {
  func fill(_ request: inout Request, _ client: SuiteClient) async throws {}
}

/// An action that needs a reason and nothing else.
protocol ReasonedAction: Action where Request: ReasonedRequest {
  var reason: String { get }
}

extension ReasonedAction {
  func fill(_ request: inout Request, _ client: SuiteClient) async throws {
    request.reason = reason
  }
}

/// `yijia NOUN VERB NAME…`.
struct ActionCommand<Kind: Action>: AsyncParsableCommand {
  static var configuration: CommandConfiguration { Kind.commandConfiguration }

  @OptionGroup var connection: ConnectionOptions
  @Argument(
    help: """
      What it is about, as `list` shows it: one or more, each a change of its own; the first that \
      is refused ends the command.
      """)
  var names: [String]
  @OptionGroup var action: Kind

  func run() async throws {
    try await connection.with(.staff) { client in
      var request = Kind.Request()
      try await action.fill(&request, client)
      for name in names {
        request.begin(try await Kind.Subject.resourceName(of: name, client))
        if let reply = try await action.send(request, client) { Terminal.say(reply.line) }
      }
    }
  }
}
