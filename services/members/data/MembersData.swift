import ArgumentParser
import Foundation
import MembersCore
import ServiceKit
import Storage
import StorageEngines

/// Fills a members store with generated members, measures reads by key, and enrolls through a
/// running gateway.
@main
struct MembersData: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "members-data",
    abstract: "Invented members: for a store, read by their keys, or enrolled through a gateway.",
    discussion: """
      For `make` and `read` the service must not run on a SQLite file meanwhile, and missing \
      keyrings are made. The same seed and number give the same members, so that `read` knows the \
      keys of what `make` stored.
      Examples:
        members-data make --config .dev/members.yaml --members 10000
        members-data read --config .dev/members.yaml --members 10000 --calls 50000
        members-data load --connection .dev/connection.json --calls 20000 --mode stream
        members-data ask --connection .dev/connection.json --members 10000 --mode get
        members-data roster --connection .dev/connection.json --members 1000000
      """,
    subcommands: [Make.self, Read.self, Load.self, Ask.self, Roster.self])

  struct Options: ParsableArguments {
    @Option(help: "Configuration of yijia-members: its store and keyrings are used.")
    var config: String

    @Option(help: "How many members.")
    var members: Int

    @Option(help: "What the members follow from.")
    var seed: UInt64 = 1

    func with(_ body: (SampleRegistry) async throws -> Void) async throws {
      let configuration = try loadConfiguration(
        MembersConfiguration.self, defaults: MembersConfiguration(), file: config)
      let database = try await openDatabase(url: configuration.service.database)
      let files = configuration.service.keyrings
      for file in [files.fieldsFile, files.hashesFile, files.pageTokensFile] {
        _ = try Keyring(contentsOf: file, orGenerateAt: .now)
      }
      let keys = try MembersKeys(files: configuration.service.keyrings)
      do {
        try await database.markKeys([
          NamedKeyring(name: "fields", ring: try LiveKeyring(contentsOf: files.fieldsFile)),
          NamedKeyring(name: "hashes", ring: try LiveKeyring(contentsOf: files.hashesFile)),
        ])
        try await body(
          SampleRegistry(database: database, keys: keys, members: members, seed: seed))
      } catch {
        await database.close()
        throw error
      }
      await database.close()
    }
  }

  struct Make: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Fill an empty store.")
    @OptionGroup var options: Options

    func run() async throws {
      let start = ContinuousClock.now
      try await options.with { registry in
        try await registry.make(at: .now) { done, total in
          guard done == total || done % 280_000 == 0 else { return }
          note("rows \(done) of \(total), \((ContinuousClock.now - start) / .seconds(1)) s")
        }
      }
    }
  }

  struct Read: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Read members by random keys: a second with 64 callers, and p50 of one in µs.")
    @OptionGroup var options: Options

    @Option(help: "How many reads.")
    var calls = 50_000

    func run() async throws {
      let members = options.members
      try await options.with { registry in
        // Warms up prepared statements and caches before the measurement.
        try await together(registry, members, calls / 4)
        let start = ContinuousClock.now
        try await together(registry, members, calls)
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        say("members-by-key \(Int(Double(calls / 64 * 64) / seconds))")
        var times: [Duration] = []
        for _ in 0..<2_001 {
          let start = ContinuousClock.now
          try await registry.read(Int.random(in: 0..<members))
          times.append(ContinuousClock.now - start)
        }
        say("member-p50 \(Int(times.sorted()[1_000] / .microseconds(1)))")
      }
    }

    private func together(
      _ registry: SampleRegistry, _ members: Int, _ calls: Int
    ) async throws {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<64 {
          group.addTask {
            for _ in 0..<(calls / 64) { try await registry.read(Int.random(in: 0..<members)) }
          }
        }
        try await group.waitForAll()
      }
    }
  }
}

func say(_ line: String) {
  FileHandle.standardOutput.write(Data("\(line)\n".utf8))
}

func note(_ line: String) {
  FileHandle.standardError.write(Data("\(line)\n".utf8))
}
