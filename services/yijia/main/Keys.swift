import ArgumentParser
import Foundation
import OperationsV1
import ServiceKit
import Storage

struct Keys: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Make and rotate the keys that guard a service's data (for API keys: yijia partners keys).",
    discussion: """
      `create` makes the keyrings of a new service. To rotate:
      1. `add` puts a fresh key at the end of the keyring file. Replicas each need the file: copy \
      it to all of them, then go on. One that lacks a key which another uses stores nobody.
      2. `apply` has the service take up the file, and seal and hash anew what older keys did, in \
      small commits. It may be stopped and run again. Run it once for every replica: --config \
      names which. A gateway also does it by itself on SIGHUP.
      3. `retire` removes older keys that nothing needs any more; `apply` says what needs them \
      (remembered replies go after 30 days).
      """,
    subcommands: [Create.self, Add.self, Apply.self, Retire.self])

  enum Ring: String, ExpressibleByArgument, CaseIterable {
    case fields, hashes
    case pageTokens = "page-tokens"

    func file(of files: KeyringFiles) -> String {
      switch self {
      case .fields: files.fieldsFile
      case .hashes: files.hashesFile
      case .pageTokens: files.pageTokensFile
      }
    }
  }

  /// Checks that keyrings hold the keys that have marks. Keyrings without marks may be missing:
  /// a service reads only those that it uses.
  static func check(_ files: KeyringFiles, against marks: [KeyMark]) throws {
    for ring in Ring.allCases where marks.contains(where: { $0.keyring == ring.rawValue }) {
      let live = try LiveKeyring(contentsOf: ring.file(of: files))
      try NamedKeyring(name: ring.rawValue, ring: live).check(against: marks)
    }
  }

  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make the keyring files that a configuration names and that are not there.",
      discussion: """
        Each gets one fresh key, mode 0600, and belongs to you: run it as the service's user. Copy \
        the files to a place apart from the backups: without them the data cannot be read.
        Example: sudo -u yijia yijia keys create --config /etc/yijia/members.yaml
        """)
    @OptionGroup var options: OperatorOptions

    func run() async throws {
      try await explained {
        let files = try options.configuration().keyrings
        // Stations looks nothing up by keyed hashes.
        for ring in Ring.allCases where options.name != "stations" || ring != .hashes {
          let file = ring.file(of: files)
          guard !FileManager.default.fileExists(atPath: file) else {
            Terminal.say("\(file): is there already, and stays")
            continue
          }
          try Keyring.generate(at: Date()).write(to: file)
          Terminal.say("\(file): made, with key 1")
        }
      }
    }
  }

  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Put a fresh key at the end of a keyring file.")
    @OptionGroup var options: OperatorOptions
    @Option(help: "Which keyring: fields, hashes or page-tokens.")
    var keyring: Ring

    func run() async throws {
      try await explained {
        let file = keyring.file(of: try options.configuration().keyrings)
        guard FileManager.default.fileExists(atPath: file) else {
          throw ConfigurationError("\(file): there is no keyring; make it with `yijia keys create`")
        }
        let ring = try Keyring(contentsOf: file)
        // Hashes are looked up under two keys at most.
        guard keyring != .hashes || ring.keys.count < KeyedHash.keysMax else {
          throw ConfigurationError("\(file): retire the older key first")
        }
        try ring.adding(at: Date()).write(to: file, replacing: true)
        Terminal.say("key \(ring.current.id + 1) added to \(file)")
      }
    }
  }

  struct Apply: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Have the service take up its keyrings, and seal and hash anew.")
    @OptionGroup var options: OperatorOptions

    func run() async throws {
      try await explained {
        let result = try await options.run(.rotateKeys(RotateKeysTask()))
        for finding in result.findings { Terminal.say(finding) }
        if result.findings.isEmpty { Terminal.say("no older key is needed") }
      }
    }
  }

  struct Retire: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Remove older keys that nothing needs any more from the keyring files.")
    @OptionGroup var options: OperatorOptions

    func run() async throws {
      try await explained {
        let files = try options.configuration().keyrings
        let result = try await options.run(.rotateKeys(RotateKeysTask()))
        for finding in result.findings { Terminal.say(finding) }
        var isChanged = false
        for ring in [Ring.fields, .hashes] {
          let file = ring.file(of: files)
          let keyring = try Keyring(contentsOf: file)
          let needed = result.keyUses.filter { $0.keyring == ring.rawValue }.map(\.key).min()
          let kept = keyring.keys.filter { $0.id >= needed ?? keyring.current.id }
          guard kept.count < keyring.keys.count else { continue }
          try keyring.keepingLast(kept.count).write(to: file, replacing: true)
          Terminal.say("\(file): \(keyring.keys.count - kept.count) older removed")
          isChanged = true
        }
        if isChanged { _ = try await options.run(.rotateKeys(RotateKeysTask())) }
      }
    }
  }
}
