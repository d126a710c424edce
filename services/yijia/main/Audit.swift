import ArgumentParser
import Foundation
import OperationsV1
import ServiceKit
import Storage

struct Audit: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check the audit log of a store.",
    subcommands: [Verify.self])

  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Recompute every hash chain, and name the first row that does not fit.",
      discussion: """
        With --config the running service does it beside its work, or this command itself where \
        the service is stopped; with --database this command does, where no service has the file. \
        On PostgreSQL services go on meanwhile.

        Whoever can rewrite the whole store can rewrite its chains too: --note the ends of the \
        chains into a file that is kept elsewhere, and check --against it later.
        Examples:
          yijia audit verify --config .dev/members.yaml --note heads.json
          yijia audit verify --config .dev/members.yaml --against heads.json
          yijia audit verify --database sqlite:.dev/data/members.sqlite
        """)

    @Option(help: "Configuration of the service, e.g. .dev/members.yaml.")
    var config: String?

    @Option(help: "Name of the service. [default: by the file's name, as in members-2.yaml]")
    var service: String?

    @Option(help: "The store, as in the service's configuration: sqlite:PATH or postgres://….")
    var database: String?

    @Option(help: "Write the ends of the chains to this file.")
    var note: String?

    @Option(help: "The ends of the chains as they were noted: they must be in the chains.")
    var against: String?

    func validate() throws {
      guard (config == nil) != (database == nil) else {
        throw ValidationError("say --config or --database")
      }
    }

    func run() async throws {
      try await explained {
        if let note { try Arguments.requireWritable(note) }
        let anchors = try against.map(ChainHead.read) ?? []
        let (isSound, findings, heads) = try await verified(anchors)
        if let note, isSound { try ChainHead.write(heads, to: note) }
        for finding in findings { Terminal.say(finding) }
        guard isSound else { throw ExitCode.failure }
      }
    }

    private func verified(_ anchors: [ChainHead]) async throws -> (Bool, [String], [ChainHead]) {
      var store: (any Database)?
      if let database {
        store = try await openExisting(database)
      } else if let config {
        let options = try OperatorOptions.of(config, service)
        store = try await options.openIfFree()
        if store == nil {
          var task = VerifyAuditTask()
          task.anchors = anchors.map(\.message)
          let result = try await options.run(.verifyAudit(task))
          return (result.sound, result.findings, result.heads.map(ChainHead.init))
        }
      }
      guard let store else { return (false, [], []) }
      let report = try await store.verifyAudit(anchors: anchors.map(\.head)) { done, total in
        Terminal.progress("\(done) of \(total) entries")
      }
      Terminal.endProgress()
      await store.close()
      return (report.isIntact, [report.summary], report.heads.map(ChainHead.init))
    }
  }
}

/// The head of an audit chain, as stored in a file.
struct ChainHead: Codable, Hashable {
  var chain: String
  var sequence: Int64
  var hash: Data

  init(_ head: AuditHead) {
    (chain, sequence, hash) = (head.chain, head.sequence, Data(head.hash))
  }

  init(_ head: AuditChainHead) {
    (chain, sequence, hash) = (head.chain, head.sequence, Data(head.hash))
  }

  var head: AuditHead { AuditHead(chain: chain, sequence: sequence, hash: Array(hash)) }

  var message: AuditChainHead {
    var message = AuditChainHead()
    message.chain = chain
    message.sequence = sequence
    message.hash = Array(hash)
    return message
  }

  static func read(_ path: String) throws -> [ChainHead] {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw ConfigurationError("\(path): cannot be read")
    }
    guard let heads = try? JSONDecoder().decode([ChainHead].self, from: data) else {
      throw ConfigurationError("\(path): is not a file that --note wrote")
    }
    return heads
  }

  static func write(_ heads: [ChainHead], to path: String) throws {
    let data = try JSONEncoder().encode(heads)
    do {
      try data.write(to: URL(filePath: path), options: .atomic)
    } catch {
      throw ConfigurationError("\(path): the file cannot be written; does its folder exist?")
    }
  }
}
