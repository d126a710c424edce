import ArgumentParser
import Foundation
import GatewayV1
import GoogleProtobuf
import YijiaTypeV1

struct Staff: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Accounts of union staff: create, reset, disable.",
    discussion: """
      An account begins with a temporary password, printed once: pass it on by another way than \
      the user name. Its owner changes it at the first sign-in (yijia sign-in), and may enroll an \
      authenticator (yijia authenticator). \
      These commands act as the administrator of the connection file.

      Examples:
        yijia staff create zhang.san --display-name 张三 --role CLERK --organization qinhuangdao
        yijia staff update ID --role VIEWER --reason "works elsewhere now"
        yijia staff reset ID --reason "forgot the password"
        yijia staff sessions end ID --reason "lost a laptop"
        yijia staff disable ID --reason "left the union"
      """,
    subcommands: [
      Create.self, List.self, Update.self, Reset.self, Disable.self, Enable.self,
      StaffSessions.self,
    ])

  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Store an account and print its temporary password: this once.")

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "User name: 3 to 64 of a-z, 0-9, '.', '_', '-', a letter first.")
    var userName: String
    @Option(help: "What people call them; 1 to 100 characters.") var displayName: String
    @Option(help: "VIEWER, CLERK or ADMINISTRATOR.", transform: Arguments.contract)
    var role: StaffRole
    @Option(help: "The organization whose subtree they act in. [administrators: the whole tree]")
    var organization: String?

    func validate() throws {
      // A variable of a shell that is not set must not make an account for the whole tree.
      guard organization != "" else {
        throw ValidationError("--organization is empty; leave it out to mean the whole tree")
      }
    }

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = CreateStaffRequest()
        request.requestID = UUID().uuidString
        var account = StaffAccount()
        account.userName = userName
        account.displayName = displayName
        account.role = role
        account.organization = try await OrganizationNames.resolve(
          organization ?? "", client)
        request.staff = account
        let made = try await client.accounts.createStaff(request, options: client.options)
        Staff.say(made.staff ?? account)
        Terminal.say(made.temporaryPassword)
        Terminal.note("The password above is shown this once; it is changed at the first sign-in.")
      }
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the accounts of the gateway's store; its configuration may name more.")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = ListStaffRequest()
        request.pageSize = 1_000
        repeat {
          let page = try await client.accounts.listStaff(request, options: client.options)
          for account in page.staff { Staff.say(account) }
          request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
      }
    }
  }

  struct Update: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Change name, role or organization; a change of the latter two ends all sessions.")

    @OptionGroup var options: StaffOptions
    @Option(help: "What people call them; 1 to 100 characters.") var displayName: String?
    @Option(help: "VIEWER, CLERK or ADMINISTRATOR.", transform: Arguments.contract)
    var role: StaffRole?
    @Option(help: "The organization whose subtree they act in; \"\" is the whole tree.")
    var organization: String?

    func run() async throws {
      try await options.connection.with(.staff) { client in
        var request = UpdateStaffRequest()
        request.requestID = UUID().uuidString
        request.reason = options.reason
        var account = StaffAccount()
        account.name = options.name
        var changes = FieldChanges(of: account)
        changes.set(\.displayName, "display_name", to: displayName)
        changes.set(\.role, "role", to: role)
        if let organization {
          let name = try await OrganizationNames.resolve(organization, client)
          changes.set(\.organization, "organization", to: name)
        }
        (request.staff, request.updateMask) = try changes.finish()
        let done = try await client.accounts.updateStaff(request, options: client.options)
        Staff.say(done.staff ?? changes.message)
      }
    }
  }

  struct Reset: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Give a temporary password, forget the authenticator, end sessions and lockouts.")

    @OptionGroup var options: StaffOptions

    func run() async throws {
      try await options.connection.with(.staff) { client in
        var request = ResetStaffRequest()
        request.requestID = UUID().uuidString
        request.name = options.name
        request.reason = options.reason
        let done = try await client.accounts.resetStaff(request, options: client.options)
        Staff.say(done.staff ?? StaffAccount())
        Terminal.say(done.temporaryPassword)
        Terminal.note("The password above is shown this once; it is changed at the next sign-in.")
      }
    }
  }

  struct Disable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Let somebody sign in no more, and end all sessions.")

    @OptionGroup var options: StaffOptions

    func run() async throws {
      try await options.connection.with(.staff) { client in
        var request = DisableStaffRequest()
        request.requestID = UUID().uuidString
        request.name = options.name
        request.reason = options.reason
        let done = try await client.accounts.disableStaff(request, options: client.options)
        Staff.say(done.staff ?? StaffAccount())
      }
    }
  }

  struct Enable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let somebody sign in again.")

    @OptionGroup var options: StaffOptions

    func run() async throws {
      try await options.connection.with(.staff) { client in
        var request = EnableStaffRequest()
        request.requestID = UUID().uuidString
        request.name = options.name
        request.reason = options.reason
        let done = try await client.accounts.enableStaff(request, options: client.options)
        Staff.say(done.staff ?? StaffAccount())
      }
    }
  }

  fileprivate static func say(_ account: StaffAccount) {
    let whole = account.organization.isEmpty ? "whole tree" : account.organization
    let second = account.totpEnrolled ? "  authenticator" : ""
    Terminal.say(
      "\(account.name)  \(account.userName)  \(contractName(account.state))  "
        + "\(contractName(account.role))  \(whole)  \(account.displayName)\(second)")
  }
}

/// The account that a command is about, and the reason.
struct StaffOptions: ParsableArguments {
  @OptionGroup var connection: ConnectionOptions
  @Argument(help: "The account: staff/ID or ID.") var staff: String
  @Option(help: "Why, for the audit log.") var reason: String

  var name: String { Self.name(staff) }

  /// Returns the resource name for `staff/ID` or `ID`.
  static func name(_ text: String) -> String {
    text.hasPrefix("staff/") ? text : "staff/\(text)"
  }
}
