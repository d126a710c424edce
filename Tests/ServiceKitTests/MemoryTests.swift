import Foundation
import ServiceKit
import Testing

@Suite("Memory of the process")
struct MemoryTests {
  /// The resident KiB of the code of files.
  private static func code() throws -> Int {
    var (isCode, sum) = (false, 0)
    for line in try String(contentsOfFile: "/proc/self/smaps", encoding: .utf8)
      .split(separator: "\n")
    {
      let fields = line.split(separator: " ")
      if fields.count > 4 { isCode = fields[1] == "r-xp" && fields.last?.hasPrefix("/") == true }
      if isCode, fields[0] == "Rss:" { sum += Int(fields[1]) ?? 0 }
    }
    return sum
  }

  // Under ThreadSanitizer the system counts none of it.
  @Test(
    "code that has run leaves the memory, and runs again when it is needed",
    .enabled(if: (try? Self.code()) ?? 0 > 0, "the system says how much code is resident"))
  func releaseCode() throws {
    let text = "2026-11-21T06:46:51Z"
    let before = try Date(text, strategy: .iso8601)
    // Other tests go on meanwhile, and what they run comes back.
    var hasShrunk = false
    for _ in 0..<100 where !hasShrunk {
      let resident = try Self.code()
      ProcessMemory.releaseCode()
      hasShrunk = try Self.code() < resident
    }
    #expect(hasShrunk)
    #expect(try Date(text, strategy: .iso8601) == before)
  }
}
