import Compression
import Foundation
import Testing

@Suite("Compression")
struct FormatTests {
  private static let text = Array(String(repeating: "工会驿站 rest station; ", count: 5000).utf8)

  private static func noise(_ count: Int) -> [UInt8] {
    var state: UInt64 = 0x9e37_79b9_7f4a_7c15
    return (0..<count).map { _ in
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return UInt8(truncatingIfNeeded: state >> 32)
    }
  }

  private static func error(_ body: () throws -> Void) -> CompressionError? {
    do {
      try body()
      return nil
    } catch {
      return error as? CompressionError
    }
  }

  @Test("compressed data of any size decompresses to the original", arguments: Format.allCases)
  func roundTrip(_ format: Format) throws {
    let inputs = [[], [7], Self.text, Self.noise(1), Self.noise(32 << 10), Self.noise(300_001)]
    for input in inputs {
      let packed = try format.compress(input.span.bytes)
      #expect(try format.decompress(packed.span.bytes, outputBytesMax: input.count) == input)
    }
  }

  @Test("headroom is zero bytes in front of the compressed ones", arguments: Format.allCases)
  func headroom(_ format: Format) throws {
    let packed = try format.compress(Self.text.span.bytes, headroom: 5)
    #expect(Array(packed.prefix(5)) == [0, 0, 0, 0, 0])
    #expect(packed.dropFirst(5).elementsEqual(try format.compress(Self.text.span.bytes)))
    #expect(packed.count < Self.text.count / 20)
  }

  @Test("streams made by Python's zlib and gzip are read")
  func foreign() throws {
    let zlib = Data(base64Encoded: "eJzLSM3JyQcABiwCFQ==") ?? Data()
    let gzip = Data(base64Encoded: "H4sIAAAAAAACA8tIzcnJBwCGphA2BQAAAA==") ?? Data()
    let hello = Array("hello".utf8)
    #expect(try Format.zlib.decompress(Array(zlib).span.bytes, outputBytesMax: 5) == hello)
    #expect(try Format.gzip.decompress(Array(gzip).span.bytes, outputBytesMax: 5) == hello)
  }

  @Test("a stream with input but no output is interrupted as well")
  func interrupted() throws {
    // Four megabytes of empty stored blocks, the last one marked, and the checksum of nothing.
    var empty: [UInt8] = [0x78, 0x01]
    for _ in 0..<800_000 { empty += [0, 0, 0, 0xff, 0xff] }
    empty += [1, 0, 0, 0xff, 0xff, 0, 0, 0, 1]
    let inflater = try Inflater()
    try inflater.begin(.zlib, outputBytesMax: 5)
    var parts = 0
    while try !inflater.proceed(empty.span.bytes, outputBytes: 5, for: .microseconds(100)) {
      parts += 1
    }
    #expect(parts > 1)
    #expect(inflater.takeOutput() == [])
    #expect(try Format.zlib.decompress(empty.span.bytes, outputBytesMax: 5) == [])
  }

  @Test("a stream in parts is the same", arguments: Format.allCases)
  func parts(_ format: Format) throws {
    let packed = try format.compress(Self.text.span.bytes)
    for input in [packed, packed + [0], packed.dropLast()] {
      let inflater = try Inflater()
      let error = Self.error {
        try inflater.begin(format, outputBytesMax: Self.text.count)
        while try !inflater.proceed(input.span.bytes, outputBytes: 1, for: .zero) {}
        #expect(inflater.takeOutput() == Self.text)
      }
      #expect(error == (input == packed ? nil : .corrupt))
    }
  }

  @Test(
    "output of exactly the limit is accepted, one byte more is refused", arguments: Format.allCases)
  func limit(_ format: Format) throws {
    for count in [1, 1000, 32 << 10, 100_000] {
      let packed = try format.compress([UInt8](repeating: 0, count: count).span.bytes)
      #expect(try format.decompress(packed.span.bytes, outputBytesMax: count).count == count)
      #expect(
        Self.error { _ = try format.decompress(packed.span.bytes, outputBytesMax: count - 1) }
          == .tooLarge)
    }
  }

  @Test("a decompression bomb stops at the limit", arguments: Format.allCases)
  func bomb(_ format: Format) throws {
    // 64 MiB, compressed to about 64 KiB.
    let packed = try format.compress([UInt8](repeating: 0, count: 64 << 20).span.bytes)
    #expect(packed.count < 70_000)
    #expect(
      Self.error { _ = try format.decompress(packed.span.bytes, outputBytesMax: 1 << 20) }
        == .tooLarge)
  }

  @Test("a stream truncated anywhere is corrupt", arguments: Format.allCases)
  func cut(_ format: Format) throws {
    let packed = try format.compress(Self.text.span.bytes)
    for count in 0..<packed.count {
      let part = packed.span.bytes.extracting(0..<count)
      let error = Self.error { _ = try format.decompress(part, outputBytesMax: 1 << 20) }
      #expect(error == .corrupt, "after \(count) bytes")
    }
  }

  @Test("a changed byte never yields other output than the original", arguments: Format.allCases)
  func damaged(_ format: Format) throws {
    let packed = try format.compress(Self.text.span.bytes)
    for index in packed.indices {
      var damaged = packed
      damaged[index] ^= 0x10
      // Some bytes of gzip's header are not covered by its checksum; the output is correct then.
      let output = try? format.decompress(damaged.span.bytes, outputBytesMax: 1 << 20)
      #expect(output == nil || output == Self.text, "byte \(index)")
    }
  }

  @Test("bytes behind the end, and the other format, are corrupt", arguments: Format.allCases)
  func trailing(_ format: Format) throws {
    let packed = try format.compress(Self.text.span.bytes)
    let longer = packed + [0]
    let twice = packed + packed
    for input in [longer, twice] {
      #expect(
        Self.error { _ = try format.decompress(input.span.bytes, outputBytesMax: 1 << 20) }
          == .corrupt)
    }
    let other: Format = format == .gzip ? .zlib : .gzip
    #expect(
      Self.error { _ = try other.decompress(packed.span.bytes, outputBytesMax: 1 << 20) }
        == .corrupt)
  }

  @Test("a failure does not affect later calls, on many threads at once")
  func reuse() async throws {
    await withTaskGroup(of: Bool.self) { group in
      for number in 0..<16 {
        group.addTask {
          let format: Format = number.isMultiple(of: 2) ? .gzip : .zlib
          let input = Self.noise(10_000 + number)
          return (0..<20).allSatisfy { _ in
            guard let packed = try? format.compress(input.span.bytes) else { return false }
            _ = try? format.decompress(
              packed.span.bytes.extracting(0..<100), outputBytesMax: 1 << 20)
            _ = try? format.decompress(packed.span.bytes, outputBytesMax: 10)
            return (try? format.decompress(packed.span.bytes, outputBytesMax: 1 << 20)) == input
          }
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }
}
