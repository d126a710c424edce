import ServiceKit
import Testing

@Suite("Language")
struct LanguageTests {
  @Test(
    "accept-language chooses the preferred of the two languages, Chinese by default",
    arguments: [
      (nil, Language.chinese), ("", .chinese), ("en", .english), ("zh-CN", .chinese),
      ("en-US,en;q=0.9", .english), ("fr, en;q=0.5", .english), ("zh;q=0.2, en;q=0.8", .english),
      ("en;q=0.3,zh-Hans;q=0.4", .chinese), ("fr", .chinese), ("en;q=0", .chinese),
      ("en;q=banana", .chinese), (";;;,,,=", .chinese),
    ])
  func preference(value: String?, language: Language) {
    #expect(Language(acceptLanguage: value) == language)
  }

  @Test("a value with thousands of ranges is truncated, not scanned")
  func bounded() {
    let value = String(repeating: "fr,", count: 100_000) + "en"
    #expect(Language(acceptLanguage: value) == .chinese)
  }
}
