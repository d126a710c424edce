import ArgumentParser
import ServiceKit
import Storage
import StorageEngines

struct Audit: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check the audit log of a store.",
    subcommands: [Verify.self])

  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Recompute every hash chain, and name the first row that does not fit.",
      discussion: """
        The service that owns a SQLite file must not run: one process owns it. On PostgreSQL \
        the services go on meanwhile.
        Example: yijia audit verify --database sqlite:.dev/data/members.sqlite
        """)

    @Option(help: "The store, as in the service's configuration: sqlite:PATH or postgres://….")
    var database: String

    func run() async throws {
      let store = try await openDatabase(url: database)
      let report = try await store.verifyAudit()
      await store.close()
      guard let problem = report.problem else {
        return Terminal.say("intact: \(report.rows) rows in \(report.heads.count) chains")
      }
      Terminal.say(
        "NOT intact: chain \(problem.chain), row \(problem.sequence): \(problem.kind.rawValue)")
      throw ExitCode.failure
    }
  }
}
