import Testing

/// The house rules, applied to the whole checkout. Each failure names the place and the remedy;
/// each detector is itself tested with planted violations (the *DetectorTests beside this file).
@Suite("the repository is tidy")
struct TidyTests {
  let repository = Repository.here

  @Test("the checkout is found, so that no rule runs on nothing")
  func checkout() {
    #expect(repository.file("Package.swift") != nil)
    #expect(repository.swift.count > 20)
    #expect(!ContractRules.contracts(repository).isEmpty)
    #expect(!repository.subfolders(of: "services").isEmpty)
  }

  @Test("a target imports only what its layer may")
  func imports() { expectNone(ImportRules(repository).violations()) }

  @Test("a C library has exactly one importer")
  func libraries() { expectNone(ImportRules(repository).libraryViolations()) }

  @Test("a file has at most 500 lines")
  func fileSizes() { expectNone(SizeRules.files(repository)) }

  @Test("a function has at most 70 lines")
  func functionSizes() { expectNone(SizeRules.functions(repository)) }

  @Test("a line has at most 100 columns")
  func lineSizes() { expectNone(SizeRules.lines(repository)) }

  @Test("no banned call")
  func bannedCalls() { expectNone(BannedCalls.violations(repository)) }

  @Test("promises that the compiler cannot check name their guard")
  func guards() { expectNone(GuardRules.violations(repository)) }

  @Test("no leftover marker")
  func markers() { expectNone(LeftoverRules.markers(repository)) }

  @Test("no path of one machine")
  func machinePaths() { expectNone(LeftoverRules.machinePaths(repository)) }

  @Test("Chinese texts have full-width punctuation")
  func chineseTexts() { expectNone(ChineseTexts.halfWidth(repository)) }

  @Test("every service folder has the same structure")
  func rooms() { expectNone(ServiceRules.violations(repository)) }

  @Test("every RPC has a policy and a comment")
  func contracts() { expectNone(ContractRules.violations(repository)) }

  @Test("every public type of a library is documented")
  func documentation() { expectNone(DocumentationRules.publicTypes(repository)) }

  @Test("everything public in Sources is documented")
  func members() { expectNone(PublicMembers.violations(repository)) }

  @Test("both front pages list every make target")
  func frontPages() { expectNone(DocumentationRules.frontPages(repository)) }

  @Test("a page of docs has the same code in both languages")
  func translations() { expectNone(DocumentationRules.translations(repository)) }
}
