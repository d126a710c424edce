import Foundation
import Testing
import TortureV1

@testable import Protobuf

/// The memory of decoding and encoding.
@Suite struct ArenaTests {
  @Test("an arena gives what its budget allows and nothing beyond")
  func budget() {
    let arena = Arena.current
    let mark = arena.begin(budget: 100)
    defer { arena.release(mark) }
    #expect(unsafe arena.take(60) != nil)
    #expect(unsafe arena.take(60) == nil)
    // Rounded up to 64 bytes, of 100.
    #expect(unsafe arena.take(32) != nil)
    #expect(unsafe arena.take(1) == nil)
  }

  @Test("a nested use releases its own memory only")
  func nesting() throws {
    let arena = Arena.current
    let outer = arena.begin(budget: 1 << 30)
    let kept = try #require(unsafe arena.take(16))
    unsafe kept.storeBytes(of: 42, as: Int.self)
    let inner = arena.begin(budget: 1 << 30)
    // More than any chunk.
    let large = try #require(unsafe arena.take(9 << 20))
    unsafe large.storeBytes(of: 7, toByteOffset: (9 << 20) - 8, as: Int.self)
    arena.release(inner)
    #expect(unsafe kept.load(as: Int.self) == 42)
    let next = try #require(unsafe arena.take(16))
    #expect(unsafe next == kept + 16)
    arena.release(outer)
  }

  @Test("repeated uses take the same memory")
  func reuse() throws {
    let arena = Arena.current
    var places: [UnsafeMutableRawPointer] = unsafe []
    for _ in 0..<3 {
      let mark = arena.begin(budget: 1 << 30)
      unsafe places.append(try #require(unsafe arena.take(300_000)))
      arena.release(mark)
    }
    // The first use grew the arena, the others found it large enough.
    #expect(unsafe places[1] == places[2])
  }

  @Test("threads decode concurrently, each in its own arena")
  func threads() async throws {
    var message = Torture()
    message.strings = (0..<100).map { "string number \($0)" }
    let bytes = try message.wireBytes()
    let expected = message
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<200 where try Torture(wireBytes: bytes) != expected { return false }
          return true
        }
      }
      for try await isSame in group { #expect(isSame) }
    }
  }

  @Test("every byte, pair and boundary is UTF-8 exactly where Swift says so")
  func utf8() {
    func check(_ bytes: [UInt8]) -> Bool {
      let ours = unsafe bytes.withUnsafeBufferPointer { buffer in
        unsafe UTF8Check.isValid(buffer.baseAddress.unsafelyUnwrapped, count: buffer.count)
      }
      return ours == (String(validating: bytes, as: UTF8.self) != nil)
    }
    let edges: [UInt8] = [0, 0x61, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff]
    for first in UInt8.min...UInt8.max {
      #expect(check([first]))
      for second in UInt8.min...UInt8.max {
        if !check([first, second]) { Issue.record("\(first) \(second)") }
      }
      for second in edges {
        for third in edges {
          if !check([first, second, third]) { Issue.record("\(first) \(second) \(third)") }
          for fourth in edges {
            let four = [first, second, third, fourth]
            if !check(four) { Issue.record("\(four)") }
            // Behind and before ASCII, which takes the fast path.
            let long = [UInt8](repeating: 0x61, count: 9) + four
            if !check(long) || !check(four + long) { Issue.record("long \(four)") }
          }
        }
      }
    }
  }
}
