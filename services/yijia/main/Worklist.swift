import ArgumentParser
import Foundation
import GoogleType
import Protobuf
import ServiceKit

/// What a list is asked for.
struct Asked<State: Enumeration>: Sendable {
  /// The resource name of the organization whose subtree is listed; empty for the caller's own.
  var ancestor: String
  /// The states; what waits, if empty.
  var states: [State]
  var pageToken = ""
}

/// Returns a day as 2026-11-21; empty for none.
func dayText(_ date: GoogleType.Date?) -> String {
  guard let date,
    let day = ChinaDate(year: Int(date.year), month: Int(date.month), day: Int(date.day))
  else { return "" }
  return day.description
}

/// A paged list of a subtree, a line for each row.
protocol Listed {
  associatedtype State: Enumeration
  static var abstract: String { get }
  /// Returns a page, and the token of the next one.
  static func page(
    _ asked: Asked<State>, _ client: SuiteClient
  ) async throws -> (lines: [String], next: String)
}

/// `yijia NOUN list`.
struct ListCommand<Rows: Listed>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: "list", abstract: Rows.abstract)
  }

  @OptionGroup var connection: ConnectionOptions
  @Option(help: "The organization whose subtree is listed. [default: your own]")
  var ancestor = ""
  @Option(
    help: "A state to list; may be repeated. [default: what waits]", transform: Arguments.contract)
  var state: [Rows.State] = []

  func run() async throws {
    try await connection.with(.staff) { client in
      var asked = Asked(
        ancestor: try await OrganizationNames.resolve(ancestor, client), states: state)
      repeat {
        let page = try await Rows.page(asked, client)
        for line in page.lines { Terminal.say(line) }
        asked.pageToken = page.next
      } while !asked.pageToken.isEmpty
    }
  }
}

/// What a decision on one thing is told.
struct Told: Sendable {
  /// The resource name.
  var name: String
  /// The reason for the audit log.
  var reason: String
  /// The resource name of another party; empty for none.
  var other: String
  var requestID: String
}

/// A decision on one thing.
protocol Decision {
  static var verb: String { get }
  static var abstract: String { get }
  /// The collection of its resource names, for example `poolCases`.
  static var collection: String { get }
  /// The meaning of `--to`; nil where it has none.
  static var otherParty: OtherParty? { get }
  /// Returns the line that says what became of it.
  static func decide(_ told: Told, _ client: SuiteClient) async throws -> String
}

/// What `--to` names.
enum OtherParty { case organization, member }

extension Decision {
  static var otherParty: OtherParty? { nil }
}

/// `yijia NOUN VERB NAME…`.
struct DecisionCommand<Kind: Decision>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: Kind.verb, abstract: Kind.abstract)
  }

  @OptionGroup var connection: ConnectionOptions
  @Argument(help: "What it is about, as `list` shows it: one or more, each decided by itself.")
  var names: [String]
  @Option(help: "Why, for the audit log.") var reason = ""
  @Option(help: "The organization, or the member, that it leads to.") var to = ""

  func validate() throws {
    if names.isEmpty { throw ValidationError("name at least one") }
    if Kind.otherParty == nil, !to.isEmpty { throw ValidationError("--to has no meaning here") }
  }

  func run() async throws {
    try await connection.with(.staff) { client in
      let other =
        Kind.otherParty == .organization ? try await OrganizationNames.resolve(to, client) : to
      for name in names {
        let full = name.contains("/") ? name : "\(Kind.collection)/\(name)"
        let told = Told(
          name: full, reason: reason, other: other, requestID: UUID().uuidString)
        Terminal.say(try await Kind.decide(told, client))
      }
    }
  }
}
