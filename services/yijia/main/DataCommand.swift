import ArgumentParser
import ServiceKit
import Storage
import StorageEngines

struct DataCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Move a service's data to another engine.",
    subcommands: [Move.self])

  struct Move: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Move a SQLite store to PostgreSQL, whole, and compare.",
      discussion: """
        The service is stopped. The target has the schema and no rows: the service's own \
        executable makes it with --migrate. Audit chains, feed positions and request ids go \
        along, so that consumers and callers notice nothing.
        Example:
          yijia-members --config members-postgres.yaml --migrate
          yijia data move --from sqlite:.dev/data/members.sqlite --to "postgres://…"
        """)

    @Option(help: "Where the data are: sqlite:PATH.")
    var from: String

    @Option(help: "Where they go: postgres://….")
    var to: String

    func validate() throws {
      guard from.hasPrefix("sqlite:") else { throw ValidationError("--from is sqlite:PATH") }
      guard ["postgres://", "postgresql://"].contains(where: to.hasPrefix) else {
        throw ValidationError("--to is postgres://…")
      }
    }

    func run() async throws {
      try await explained {
        let source = try await openExisting(from)
        let target = try await openExisting(to, patience: Limits.openPatience)
        let moved = try await StoreMove(from: source, to: target).run { table, done, total in
          Terminal.progress("\(table): \(done) of \(total)")
        }
        Terminal.endProgress()
        for table in moved where table.rows > 0 { Terminal.say("\(table.table)  \(table.rows)") }
        Terminal.say("moved; counts, audit chains and the feed's end are the same")
        await source.close()
        await target.close()
      }
    }
  }
}
