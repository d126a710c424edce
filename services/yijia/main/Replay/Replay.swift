import ArgumentParser
import Foundation
import ServiceKit

struct ReplayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Replay what the papers tell of seven cities and provinces; show it in a table.",
    discussion: """
      Qinhuangdao's drives, Shandong's member homes, Hefei's transfers, Huaibei's and Bengbu's \
      pools, Baiyin's coverage and drivers away, Shenyang's quarterly refresh: FOLDER/plan.yaml \
      says how many people do what, FOLDER/organizations.csv which unions there are. All of it \
      goes through the gateway with the tokens of the connection file, all people are invented, \
      and the table is read back from the service. A repeated run is a retry: nothing is done twice.

      Needs the regions of `yijia dev` (pools first) and the tree of examples/organizations.csv.
      Examples:
        yijia replay
        yijia replay --language en
      """)

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var options: ReplayOptions

  func run() async throws {
    try await connection.with(.staff) { staff in
      try await connection.with(.reviewer) { reviewer in
        try await connection.with(.checker) { checker in
          try await options.replay(staff: staff, reviewer: reviewer, checker: checker)
        }
      }
    }
  }
}

/// Options of the replay: its data and the language of its table.
struct ReplayOptions: ParsableArguments {
  enum TableLanguage: String, ExpressibleByArgument, CaseIterable { case zh, en }

  @Option(name: .customLong("replay-folder"), help: "Folder of plan.yaml and organizations.csv.")
  var folder = "examples/replay"

  @Option(
    name: .customLong("replay-part"),
    help: "Divide Baiyin's 40,000 drivers and its members by this, for a quick look; 1 to 100.")
  var part = 1

  @Option(help: "Language of the replay's table. [default: the terminal's]")
  var language: TableLanguage?

  static let parts = 1...100

  func validate() throws {
    guard Self.parts.contains(part) else { throw ValidationError("--replay-part is 1 to 100") }
  }

  func replay(
    staff: SuiteClient, reviewer: SuiteClient, checker: SuiteClient
  ) async throws {
    let start = ContinuousClock.now
    let replay = try await Replay(
      folder: folder, part: part, staff: staff, reviewer: reviewer, checker: checker)
    let rows = try await replay.run()
    Terminal.endProgress()
    let chosen = language ?? (Terminal.isChinese ? .zh : .en)
    Terminal.say(ReplayRow.table(rows, in: chosen == .zh ? .chinese : .english).text)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    Terminal.note("replayed in \(String(format: "%.1f", seconds)) s")
  }
}

/// A row of the table: place, subject, the figure expected by the papers or the plan, and the
/// registry's.
struct ReplayRow {
  let place: LocalizedText
  let what: LocalizedText
  let expected: String
  let found: String

  static func table(_ rows: [ReplayRow], in language: Language) -> Table {
    let words: (LocalizedText) -> String = { $0.text(in: language) }
    var table = Table(
      words(LocalizedText(zh: "材料重演", en: "The papers, replayed")),
      [
        (words(LocalizedText(zh: "地区", en: "place")), .left),
        (words(LocalizedText(zh: "事项", en: "what")), .left),
        (words(LocalizedText(zh: "应为", en: "expected")), .right),
        (words(LocalizedText(zh: "系统", en: "registry")), .right),
      ])
    var last = ""
    for row in rows {
      let place = words(row.place)
      table.add(place == last ? "" : place, words(row.what), row.expected, row.found)
      last = place
    }
    return table
  }
}

/// The state of a replay: its data and its callers.
struct Replay {
  let plan: ReplayPlan
  /// Baiyin's base before it is divided by the part.
  let wholeBase: Int64
  let staff: SuiteClient
  /// Another person than `staff`, because nobody reviews their own report.
  let reviewer: SuiteClient
  /// A third person, because nobody checks what they recorded or reviewed.
  let checker: SuiteClient
  /// Resource names of the organizations by external id.
  let organizations: [String: String]
  let ids: StableRequestID

  init(
    folder: String, part: Int, staff: SuiteClient, reviewer: SuiteClient, checker: SuiteClient
  ) async throws {
    let file = folder + "/plan.yaml"
    var plan = try loadConfiguration(ReplayPlan.self, defaults: ReplayPlan(), file: file)
    wholeBase = plan.baiyin.base
    plan.baiyin.people /= part
    plan.baiyin.base /= Int64(part)
    self.plan = plan
    let tree = OrganizationImport(
      try CSVFile(path: folder + "/organizations.csv", columns: OrganizationColumns.all))
    let imported = try await tree.run(staff)
    guard imported.refused.isEmpty else {
      throw ConfigurationError(imported.refused.flatMap(\.lines).joined(separator: "\n"))
    }
    self.staff = staff
    self.reviewer = reviewer
    self.checker = checker
    organizations = try await Self.names(staff)
    let content = FileManager.default.contents(atPath: file) ?? Data()
    ids = StableRequestID(content + Data("part \(part)".utf8))
  }

  func run() async throws -> [ReplayRow] {
    // Numbers are handed out in sequence, so that no two people share one.
    var people = InventedPeople()
    var rows: [ReplayRow] = []
    // First, so that a replay that was cut short is known by its part too.
    try await requireSamePart()
    try await setTarget()
    rows += try await qinhuangdao(&people)
    rows += try await shandong(&people)
    rows += try await hefei(&people)
    rows += try await huaibei(&people)
    rows += try await bengbu(&people)
    rows += try await baiyin(&people)
    rows += try await shenyang(&people)
    return rows
  }
}

/// Hands out the numbers of invented people.
struct InventedPeople {
  private var next = 0

  mutating func take(_ count: Int) -> Range<Int> {
    defer { next += count }
    return next..<(next + count)
  }
}
