import Testing

/// Tests the detectors that check the layout, each with planted violations.
@Suite("a detector finds what is planted in the layout")
struct LayoutDetectorTests {
  /// Returns a small repository that complies with every rule, plus what a test adds to it.
  private func repository(_ planted: [SourceFile] = [], without path: String? = nil) -> Repository {
    let files = [
      SourceFile("Makefile", "run: deps ## start it\n\t@scripts/run.sh\n"),
      SourceFile("README.md", "`make run` starts it"),
      SourceFile("README.zh-CN.md", "`make run`"),
      SourceFile("Sources/CNghttp2/module.modulemap", "module CNghttp2 [system] {}"),
      SourceFile("Sources/HTTP2/Session.swift", "internal import CNghttp2"),
      SourceFile("Sources/Messages/MembersV1/a.swift", "public import Protobuf\nimport CMessages"),
      SourceFile("services/members/README.md", "It owns members."),
      SourceFile("services/members/config.example.yaml", "port: 1"),
      SourceFile("services/members/MembersCore/Enroll.swift", "import MembersV1\nimport Storage"),
      SourceFile("services/members/main/main.swift", "import MembersCore\nimport RPCTransport"),
      SourceFile("services/stations/StationsCore/Visit.swift", "import Foundation"),
      SourceFile("services/stations/README.md", "It owns points."),
      SourceFile("services/stations/config.example.yaml", "port: 1"),
      SourceFile("services/stations/main/main.swift", "import StationsCore"),
    ]
    let kept = files.filter { $0.path != path && !planted.map(\.path).contains($0.path) }
    return Repository(files: kept + planted)
  }

  private func places(_ violations: [Violation]) -> [String] {
    violations.map { $0.line > 0 ? "\($0.path):\($0.line)" : $0.path }
  }

  @Test("a compliant repository has no violation")
  func clean() {
    let clean = repository()
    expectNone(ImportRules(clean).violations())
    expectNone(ImportRules(clean).libraryViolations())
    expectNone(ServiceRules.violations(clean))
    expectNone(DocumentationRules.frontPages(clean))
  }

  @Test(
    "an import that the table does not allow is found",
    arguments: [
      ("Sources/RPC/A.swift", "NIOCore"),
      ("Sources/RPC/A.swift", "CNghttp2"),
      ("Sources/RPC/A.swift", "MembersV1"),
      ("Sources/HTTP2/A.swift", "RPC"),
      ("Sources/RPCTransport/A.swift", "MembersV1"),
      ("Sources/Storage/A.swift", "RPC"),
      ("Sources/StorageSQLite/A.swift", "MembersV1"),
      ("Sources/ServiceKit/A.swift", "NIOPosix"),
      ("Sources/ServiceKit/A.swift", "MembersCore"),
      ("services/stations/StationsCore/A.swift", "MembersCore"),
      ("services/members/MembersCore/A.swift", "GRDB"),
      ("services/members/MembersCore/A.swift", "NIOCore"),
      ("services/members/main/A.swift", "StationsCore"),
      ("Tests/StationsCoreTests/A.swift", "MembersCore"),
      ("Tests/RPCTests/A.swift", "CNghttp2"),
    ])
  func foreignImport(path: String, module: String) {
    let spellings = ["import \(module)", "@preconcurrency public import struct \(module).Thing"]
    for spelling in spellings {
      let planted = SourceFile(path, "import Foundation\n// import NIO\n\(spelling)")
      let found = ImportRules(repository([planted])).violations()
      #expect(places(found) == ["\(path):3"])
    }
  }

  @Test("an owner's tests may import what the owner may")
  func ownTests() {
    let planted = [
      SourceFile("Tests/MembersCoreTests/A.swift", "@testable import MembersCore"),
      SourceFile("Tests/HTTP2Tests/A.swift", "import CNghttp2"),
    ]
    expectNone(ImportRules(repository(planted)).violations())
  }

  @Test("a target without a row in the table is found")
  func unplaced() {
    let planted = SourceFile("Sources/Novelty/A.swift", "")
    #expect(places(ImportRules(repository([planted])).violations()) == [planted.path])
  }

  @Test("a second importer of a C library is found, and a library without importers")
  func libraries() {
    let second = SourceFile("Sources/RPC/A.swift", "import CNghttp2")
    let found = ImportRules(repository([second])).libraryViolations()
    #expect(places(found) == ["Sources/CNghttp2"])
    let orphan = repository(without: "Sources/HTTP2/Session.swift")
    #expect(ImportRules(orphan).libraryViolations().count == 1)
  }

  @Test(
    "a missing part of a service folder is found",
    arguments: [
      "services/members/README.md", "services/members/config.example.yaml",
      "services/members/MembersCore/Enroll.swift", "services/members/main/main.swift",
    ])
  func missingRoom(path: String) {
    let found = ServiceRules.violations(repository(without: path))
    #expect(places(found) == ["services/members"])
  }

  @Test("a main may be a type")
  func mainType() {
    let path = "services/members/main/main.swift"
    let planted = SourceFile("services/members/main/Members.swift", "@main\nstruct Members {}")
    let found = ServiceRules.violations(repository([planted], without: path))
    expectNone(found)
  }

  @Test("a main of 121 lines is found")
  func longMain() {
    let path = "services/members/main/main.swift"
    for (count, expected) in [(120, []), (121, ["services/members/main"])] {
      let main = SourceFile(path, String(repeating: "wire()\n", count: count))
      #expect(places(ServiceRules.violations(repository([main]))) == expected)
    }
  }

  @Test("an RPC without a policy or without a comment is found")
  func contracts() {
    let contract = SourceFile(
      "proto/yijia/members/v1/members_service.proto",
      """
      // rpc Commented(A) returns (B);
      service MembersService {
        // Does it. { not a brace
        rpc Good(GoodRequest) returns (GoodResponse) {
          option (google.api.http) = {get: "/v1/{name=members/*}"};
          option (yijia.type.v1.policy) = {callers: [STAFF]};
        }

        // No policy, though the next one has it.
        rpc Open(OpenRequest) returns (OpenResponse);
        rpc Mute(stream MuteRequest) returns (stream MuteResponse) {
          option (yijia.type.v1.policy) = {};
        }
      }
      """)
    let found = ContractRules.violations(repository([contract]))
    #expect(
      found.map(\.finding) == ["rpc Open without a policy", "rpc Mute without a comment"])
    #expect(found.map(\.line) == [10, 11])
  }

  @Test("a make target missing from a front page is found")
  func frontPages() {
    let makefile = SourceFile("Makefile", "run: ## start\nbench: deps ## measure\nhidden:\n")
    let found = DocumentationRules.frontPages(repository([makefile]))
    #expect(places(found) == ["README.md", "README.zh-CN.md"])
  }

  @Test("code that differs between the languages of a page is found")
  func translations() {
    let page = SourceFile("docs/a.md", "run:\n```\ncd x   # go there\nsay \"yes\"\n```\n")
    let good = SourceFile("docs/a.zh-CN.md", "```\ncd x   # 进入\nsay \"好\"\n```\n")
    let other = SourceFile("docs/a.zh-CN.md", "```\ncd x\nsay no\n```\n")
    let short = SourceFile("docs/a.zh-CN.md", "```\ncd x\n```\n")
    expectNone(DocumentationRules.translations(repository([page, good])))
    #expect(
      places(DocumentationRules.translations(repository([page, other]))) == ["docs/a.zh-CN.md:3"])
    #expect(
      places(DocumentationRules.translations(repository([page, short]))) == ["docs/a.zh-CN.md"])
  }
}
