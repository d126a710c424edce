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
      the connection file that `yijia dev` writes (.dev/connection.json), or from --connection.
      """,
    version: "1.0.0",
    subcommands: [
      Dev.self, Import.self, Organizations.self, Enroll.self, Report.self,
      ReplayCommand.self, Audit.self, Backup.self, DataCommand.self,
      Partners.self, Staff.self, Keys.self, StatisticsCommand.self,
    ])
}
