import ArgumentParser

/// The command line of the suite.
@main
struct Yijia: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "yijia",
    abstract: "Yijia (驿家): the registry, service points and gateway of a trade union suite.",
    discussion: """
      Start with `yijia dev`: it makes development certificates and keys, starts the services as
      separate processes, enrolls an example roster, reports visits, and prints what became of them.

      The other commands talk to a running gateway. They read its address and your credentials from
      the connection file that `yijia dev` writes (.dev/connection.json), or from --connection;
      `yijia sign-in` writes one for a member of staff.
      """,
    version: "1.0.0",
    subcommands: [
      Dev.self, Import.self, Organizations.self, Enroll.self, Report.self,
      Enrollments.self, Members.self, Pool.self, Transfers.self, Duplicates.self,
      Corrections.self, Units.self, Away.self, Refresh.self, Roster.self, Outreach.self,
      ReroutingCommand.self, Regions.self,
      ReplayCommand.self, Audit.self, Backup.self, DataCommand.self,
      Partners.self, Staff.self, Keys.self, StatisticsCommand.self,
      SignIn.self, SignOut.self, Password.self, Authenticator.self,
    ])

  static func main() async {
    let command: any ParsableCommand
    do {
      command = try parseAsRoot()
    } catch {
      if let hint = unknownCommand(CommandLine.arguments.dropFirst()) {
        Terminal.note(hint)
        exit(withError: ExitCode.validationFailure)
      }
      exit(withError: error)
    }
    do {
      var command = command
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch {
      exit(withError: error)
    }
  }

  /// Returns what to say where the first words name no command.
  private static func unknownCommand(_ words: ArraySlice<String>) -> String? {
    var (command, path): (any ParsableCommand.Type, String) = (Self.self, "yijia")
    for word in words {
      let known = command.configuration.subcommands
      guard !known.isEmpty, !word.hasPrefix("-"), word != "help" else { return nil }
      if let next = known.first(where: { $0._commandName == word }) {
        (command, path) = (next, "\(path) \(word)")
        continue
      }
      let names = known.map { $0._commandName }
      let meant = Spelling.nearest(to: word, among: names).map {
        Terminal.text(zh: "是否应为 \($0)？", en: "did you mean \($0)? ")
      }
      return Terminal.text(
        zh: "\(path)：没有命令 \(word)；\(meant ?? "")\(path) --help 列出全部命令",
        en: "\(path): there is no command \(word); \(meant ?? "")\(path) --help lists all")
    }
    return nil
  }
}
