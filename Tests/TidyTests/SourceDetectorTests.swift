import Testing

/// Tests the detectors that check one file, each with planted violations and similar valid code.
@Suite("a detector finds what is planted in a source file")
struct SourceDetectorTests {
  private let library = "Sources/RPC/Planted.swift"
  private let domain = "services/members/MembersCore/Planted.swift"

  private func repository(_ path: String, _ contents: String) -> Repository {
    Repository(files: [SourceFile(path, contents)])
  }

  private func lines(_ violations: [Violation]) -> [Int] { violations.map(\.line) }

  @Test("strings, comments and regular expressions are not code")
  func scanner() {
    let text = SwiftText(
      Text(
        #"""
        let a = "try! \(b as! C) /* \" */" // print("x")
        let c = #"raw " \(no) } "# + """
          many " lines {
          \(d { "inner }" })
          """
        /* outer /* inner */ still */ let e = 8 / 2 / f
        let g = x.matches(/[{"]\/+/)
        """#))
    #expect(text.code.line(1).contains("b as! C"))
    #expect(!text.code.line(1).contains("try!"))
    #expect(text.comments.line(1).contains("print"))
    #expect(!text.code.line(2).contains("no"))
    #expect(!text.code.line(3).contains("{"))
    #expect(text.code.line(4).contains("d {"))
    #expect(!text.code.line(4).contains("inner"))
    #expect(text.code.line(6).contains("let e = 8 / 2 / f"))
    #expect(!text.code.line(6).contains("still"))
    #expect(text.code.line(7).contains("let g = x.matches("))
    #expect(!text.code.line(7).contains("{"))
    #expect(text.code.lineCount == 7)
  }

  @Test("a long function is measured, whatever its strings contain")
  func functionLength() {
    let body = Array(repeating: "    call(\"}\") // }", count: 69).joined(separator: "\n")
    let long = "struct S {\n  func long(\n    a: Int\n  ) {\n\(body)\n  }\n  init() {}\n}\n"
    let found = SizeRules.functions(repository(library, long))
    #expect(lines(found) == [2])
    #expect(found.first?.finding.contains("long has 73 lines") == true)
  }

  @Test("a short function beside requirements and calls of init is not counted as a long one")
  func functionLikenesses() throws {
    let filler = Array(repeating: "  // line", count: 80).joined(separator: "\n")
    let source = """
      protocol P {
        func requirement() -> Int
      \(filler)
        var property: Int { get }
      }
      struct S {
        let x = T.init(1)
      \(filler)
        func short<A>(_ body: () -> A = { 1 }) -> A where A: P { body() }
      }
      """
    #expect(SizeRules.functions(repository(library, source)).isEmpty)
    let swift = try #require(SourceFile(library, source).swift)
    #expect(FunctionSizes(swift).all().contains { $0.name == "short" && $0.lineCount == 1 })
  }

  @Test("a file of 501 lines and a line of 101 columns are too long, one less is not")
  func limits() {
    let file = String(repeating: "let a = 1\n", count: 500)
    #expect(SizeRules.files(repository(library, file)).isEmpty)
    #expect(SizeRules.files(repository(library, file + "\n")).count == 1)
    let line = String(repeating: "字", count: 100)
    #expect(SizeRules.lines(repository(library, "//\n" + line)).isEmpty)
    #expect(lines(SizeRules.lines(repository(library, "//\n" + line + "x"))) == [2])
  }

  @Test(
    "a banned call is found",
    arguments: [
      "try! f()", "x as! Int", "Task.detached {}", "print(1)", "debugPrint(x)", "Date()",
      "Foundation.Date()", "Date.now", "Thread.sleep(forTimeInterval: 1)", "usleep(5)", "sleep(1)",
      "try await Task.sleep(for: .seconds(1))", "try await clock.sleep(until: x)",
      "fatalError(\"Unimplemented\")", "fatalError(\"not yet\")",
    ])
  func banned(call: String) {
    #expect(lines(BannedCalls.violations(repository(domain, "let a = 1\n\(call)"))) == [2])
  }

  @Test(
    "code that merely resembles a banned call is accepted",
    arguments: [
      "retry! ", "// try! print(1)", "\"sleep(1)\"", "printer.print(1)", "blueprint(1)",
      "CivilDate()", "func sleep(until: Int) {}", "asleep(1)", "fatalError(\"broken invariant\")",
      "// until the lease ends: time itself is meant\ntry await Task.sleep(for: .seconds(1))",
    ])
  func notBanned(call: String) {
    #expect(BannedCalls.violations(repository(domain, call)).isEmpty)
  }

  @Test("the runtime fails no call with a code of applications")
  func codes() {
    let call = "throw RPCError(.notFound, \"no\")"
    #expect(lines(BannedCalls.violations(repository(library, call))) == [1])
    #expect(BannedCalls.violations(repository(domain, call)).isEmpty)
  }

  @Test("a main may print, and time may be read outside of the domain")
  func scopes() {
    for path in ["services/yijia/main/Show.swift", "Sources/protoc-gen-yijia/main.swift"] {
      #expect(BannedCalls.violations(repository(path, "print(Date())")).isEmpty)
    }
    #expect(BannedCalls.violations(repository(library, "Date()")).isEmpty)
  }

  @Test("an unchecked promise needs its guard within three lines")
  func guards() {
    let bare = "final class A: @unchecked Sendable {}"
    #expect(lines(GuardRules.violations(repository(library, bare))) == [1])
    #expect(GuardRules.violations(repository(library, "// Guarded by `lock`.\n" + bare)).isEmpty)
    let far = "// Guarded by `lock`.\n\n\n\n" + bare
    #expect(lines(GuardRules.violations(repository(library, far))) == [5])
    let vague = "// It is fine.\nnonisolated(unsafe) var a = 1"
    #expect(lines(GuardRules.violations(repository(library, vague))) == [2])
    #expect(GuardRules.violations(repository(library, "// about @unchecked Sendable")).isEmpty)
  }

  @Test("half-width punctuation in a Chinese text is found")
  func chinese() {
    let path = "services/members/MembersCore/A.swift"
    let source = "a(zh: \"已过期,请重试。\", en: \"a, b\")\nb(zh: \"已过期，请重试。\", en: \"a, b\")"
    #expect(lines(ChineseTexts.halfWidth(repository(path, source))) == [1])
    let script = "// 注释,\nsay(\"已过期,请重试。\")\nsay(\"已过期，请重试。\")"
    #expect(lines(ChineseTexts.halfWidth(repository("services/a/web/a.js", script))) == [2])
    #expect(lines(ChineseTexts.halfWidth(repository("docs/a.zh-CN.md", "好,\n好，\n"))) == [1])
  }

  @Test("a leftover marker is found in any kind of file", arguments: LeftoverRules.markers)
  func markers(marker: String) {
    for path in [library, "README.md", "scripts/a.sh", "proto/yijia/a/v1/a.proto"] {
      #expect(lines(LeftoverRules.markers(repository(path, "\n# \(marker): later"))) == [2])
    }
    let innocent = "mktemp " + "XX" + "XX" + "XX" + " shacks"
    #expect(LeftoverRules.markers(repository("scripts/a.sh", innocent)).isEmpty)
  }

  @Test("a path of one machine is found", arguments: LeftoverRules.machineFolders)
  func machinePaths(folder: String) {
    for before in ["", "cd ", "path=\"", "-I "] {
      let found = LeftoverRules.machinePaths(repository("scripts/a.sh", "\(before)\(folder)x"))
      #expect(lines(found) == [1])
    }
    for before in ["$ROOT", "example.com", "..", "${here}"] {
      let found = LeftoverRules.machinePaths(repository("scripts/a.sh", "\(before)\(folder)x"))
      #expect(found.isEmpty)
    }
  }

  @Test("a public type of a library needs a doc comment")
  func documentation() {
    let bare = "public final class A {}\npublic struct B<C> {}"
    #expect(lines(DocumentationRules.publicTypes(repository(library, bare))) == [1, 2])
    let told = "/// What A is.\n@frozen\npublic enum A {}\npublic func f() {}\nstruct B {}"
    #expect(DocumentationRules.publicTypes(repository(library, told)).isEmpty)
  }

  @Test("a public member needs a doc comment of its own, unless a protocol documents it")
  func members() {
    let bare = """
      /// What A is.
      public struct A: Hashable {
        public var b: Int
        public init(b: Int) {}
        public init(
          _ text: String
        ) {}
        public init(b: Int) throws {}
        public func f() {}
        public static func == (a: A, b: A) -> Bool { true }
        public func next() {}
        /// Documented; the next is not.
        public internal(set) var c: Int
        public static let d = 1
      }
      extension A {
        public var description: String { "" }
      }
      """
    let path = "Sources/Storage/A.swift"
    #expect(
      lines(PublicMembers.violations(repository(path, bare))) == [3, 5, 8, 9, 11, 14, 17])
    let told = """
      /// What A is.
      public struct A: Sendable, CustomStringConvertible {
        /// How many.
        public var b: Int

        public init(b: Int) {}
        public init() {}

        /// Does it.
        @inlinable
        public func f() { let g = 1 }
        public var description: String { "" }
        var h: Int
      }
      """
    #expect(PublicMembers.violations(repository(path, told)).isEmpty)
  }

  @Test("so do the cases of a public enum and the requirements of a public protocol")
  func cases() {
    let bare = """
      /// What A is.
      public enum A {
        case b
        /// The other.
        case c
        /// Which.
        public var d: Bool {
          switch self {
          case .b: true
          case .c: false
          }
        }
      }
      enum E { case f }
      /// What P is.
      public protocol P {
        func g()
        var h: Int { get }
      }
      struct S {
        case i
      }
      """
    let found = PublicMembers.violations(repository("Sources/RPC/A.swift", bare))
    #expect(lines(found) == [3, 17, 18])
    #expect(
      PublicMembers.violations(repository("services/members/MembersCore/A.swift", bare)).isEmpty)
  }

  @Test("generated code and copies are exempt from the rules for handwritten code")
  func exemptions() {
    let long = String(repeating: "let a = try! b\n", count: 600)
    let exempt = Repository(files: [
      SourceFile("Sources/Messages/MembersV1/a.swift", long),
      SourceFile("services/members/MembersCore/Table.swift", "// Generated by x\n" + long),
      SourceFile("bench/peers/rpc/swift/a.swift", long),
    ])
    #expect(SizeRules.files(exempt).isEmpty)
    #expect(BannedCalls.violations(exempt).isEmpty)
  }
}
