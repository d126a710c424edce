import Foundation
import Testing

@testable import GatewayCore

@Suite("Lines of the log", .timeLimit(.minutes(1)))
struct LineWriterTests {
  @Test("lines of concurrent writers arrive complete and in order")
  func order() async throws {
    let pipe = Pipe()
    let writer = LineWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor)
    await withTaskGroup(of: Void.self) { group in
      for task in 0..<4 {
        group.addTask { for line in 0..<100 { writer.add(Array("\(task) \(line)\n".utf8)) } }
      }
    }
    writer.flush()
    try pipe.fileHandleForWriting.close()
    let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    let lines = text.split(separator: "\n")
    #expect(lines.count == 400)
    for task in 0..<4 {
      let own = lines.filter { $0.hasPrefix("\(task) ") }
      #expect(own == (0..<100).map { "\(task) \($0)" })
    }
  }

  @Test("a reader that does not read blocks nobody; dropped lines are counted")
  func bounded() async throws {
    let pipe = Pipe()
    let writer = LineWriter(
      descriptor: pipe.fileHandleForWriting.fileDescriptor, waitingBytesMax: 10_000)
    // A pipe holds 64 KiB: lines beyond that are buffered, and beyond the buffer dropped.
    let line = [UInt8](repeating: UInt8(ascii: "x"), count: 999) + [UInt8(ascii: "\n")]
    for _ in 0..<1_000 { writer.add(line) }
    let reading = Task.detachedReading(pipe)
    writer.flush()
    writer.add(Array("last\n".utf8))
    writer.flush()
    try pipe.fileHandleForWriting.close()
    let lines = await reading.value.split(separator: "\n")
    let whole = lines.count { $0.utf8.count == 999 }
    let told = try lines.filter { $0.hasPrefix("{") }.map { line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      return try #require(object?["count"] as? Int)
    }
    #expect(whole >= 10)
    #expect(whole + told.reduce(0, +) == 1_000)
    #expect(lines.last == "last")
  }

  @Test("a closed reader ends the output, not the program")
  func gone() throws {
    signal(SIGPIPE, SIG_IGN)
    let pipe = Pipe()
    try pipe.fileHandleForReading.close()
    let writer = LineWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor)
    writer.add(Array("lost\n".utf8))
    writer.flush()
    writer.add(Array("lost, too\n".utf8))
    writer.flush()
  }
}

extension Task where Success == String, Failure == Never {
  /// Reads a pipe to its end concurrently with the test.
  fileprivate static func detachedReading(_ pipe: Pipe) -> Task<String, Never> {
    Task {
      await withCheckedContinuation { continuation in
        let thread = Thread {
          let data = pipe.fileHandleForReading.readDataToEndOfFile()
          continuation.resume(returning: String(decoding: data, as: UTF8.self))
        }
        thread.start()
      }
    }
  }
}
