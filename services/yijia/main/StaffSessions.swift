import ArgumentParser
import Foundation
import GatewayV1
import GoogleProtobuf

struct StaffSessions: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sessions", abstract: "The sessions of an account: list and end them.",
    subcommands: [List.self, End.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the valid sessions of an account, the newest first.")

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The account: staff/ID or ID.") var staff: String

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = ListStaffSessionsRequest()
        request.name = StaffOptions.name(staff)
        let listed = try await client.accounts.listStaffSessions(request, options: client.options)
        for session in listed.sessions {
          Terminal.say(
            "\(session.name)  \(Self.text(session.createTime))  used \(Self.text(session.useTime))"
              + "  ends \(Self.text(session.expireTime))")
        }
      }
    }

    private static func text(_ time: Timestamp?) -> String {
      time.map { Date(timeIntervalSince1970: Double($0.seconds)).formatted(.iso8601) } ?? "-"
    }
  }

  struct End: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "End all sessions of an account or one of them, and the streams in them.")

    @OptionGroup var options: StaffOptions
    @Option(help: "The session: sessions/ID or ID. [default: all of them]") var session: String?

    func run() async throws {
      try await options.connection.with(.staff) { client in
        var request = EndStaffSessionsRequest()
        request.requestID = UUID().uuidString
        request.name = options.name
        request.reason = options.reason
        request.session =
          session.map { $0.hasPrefix("sessions/") ? $0 : "sessions/\($0)" } ?? ""
        _ = try await client.accounts.endStaffSessions(request, options: client.options)
        Terminal.note("Ended.")
      }
    }
  }
}
