import Compression
import Foundation
import QRCode
import Testing

/// (Tests/Integration/test_codes.py verifies that other programs can read the symbols.)
@Suite("QR codes")
struct SymbolTests {
  @Test("upper-case letters and digits need less space than the same text in lower case")
  func modes() throws {
    let upper = try Symbol(String(repeating: "YJ1-ABC ", count: 20))
    let lower = try Symbol(String(repeating: "yj1-abc ", count: 20))
    #expect(upper.width < lower.width)
    #expect(upper.modules.count == upper.width * upper.width)
    #expect((upper.width - 17) % 4 == 0)
  }

  @Test("more error correction needs more space", arguments: [8, 80, 800])
  func correction(length: Int) throws {
    let text = String(repeating: "x", count: length)
    let widths = try Symbol.Correction.allCases.map { try Symbol(text, correction: $0).width }
    #expect(widths == widths.sorted())
    #expect((widths.last ?? 0) > (widths.first ?? 0))
  }

  @Test("the largest symbol holds 2,331 bytes and not one more")
  func largest() throws {
    #expect(try Symbol(String(repeating: "x", count: 2_331)).width == 177)
    #expect(throws: SymbolError.tooLong) { try Symbol(String(repeating: "x", count: 2_332)) }
    #expect(throws: SymbolError.notEncodable) { try Symbol("") }
    #expect(throws: SymbolError.notEncodable) { try Symbol("a\0b") }
  }

  @Test("half blocks show each module once, within a quiet zone of two")
  func halfBlocks() throws {
    let symbol = try Symbol("otpauth://totp/Yijia:li.si?secret=JBSWY3DPEHPK3PXP&issuer=Yijia")
    let rows = symbol.halfBlocks.flatMap { line in
      [line.map { "█▀".contains($0) }, line.map { "█▄".contains($0) }]
    }
    let side = symbol.width + 4
    #expect(rows.count >= side && rows.allSatisfy { $0.count == side })
    let drawn = rows[2..<side - 2].flatMap { $0[2..<side - 2] }
    #expect(drawn == symbol.modules)
    let dark = { (modules: [Bool]) in modules.count(where: \.self) }
    #expect(dark(rows.flatMap(\.self)) == dark(symbol.modules))
  }

  @Test("the three finders are in their corners, and the SVG draws each dark module once")
  func svg() throws {
    let symbol = try Symbol("YIJIA")
    #expect(symbol.width == 21)
    let finder = [
      "1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111",
    ].map { $0.map { $0 == "1" } }
    for (top, left) in [(0, 0), (0, 14), (14, 0)] {
      for row in 0..<7 {
        let start = (top + row) * 21 + left
        #expect(Array(symbol.modules[start..<start + 7]) == finder[row])
      }
    }
    let svg = symbol.svg(modulePixels: 3)
    #expect(svg.contains(#"width="87" height="87" viewBox="0 0 29 29""#))
    let lengths = svg.matches(of: /h(\d+)v1/).compactMap { Int($0.output.1) }
    #expect(lengths.reduce(0, +) == symbol.modules.filter { $0 }.count)
  }

  @Test("the PNG's chunks are valid, and its pixels are the modules")
  func png() throws {
    let symbol = try Symbol("https://example.test/c/YJ1-0123456789")
    let pixels = 3
    let file = try symbol.png(modulePixels: pixels)
    #expect(Array(file.prefix(8)) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
    let image = try chunk("IDAT", of: file)
    let side = (symbol.width + 8) * pixels
    let line = (side + 7) / 8 + 1
    let rows = try Format.zlib.decompress(image.span.bytes, outputBytesMax: side * line)
    #expect(rows.count == side * line)
    for row in 0..<side {
      for column in 0..<side {
        let byte = rows[row * line + 1 + column / 8]
        let isDark = byte >> UInt8(7 - column % 8) & 1 == 0
        let (y, x) = (row / pixels - 4, column / pixels - 4)
        let inside = (0..<symbol.width).contains(y) && (0..<symbol.width).contains(x)
        let expected = inside && symbol.modules[y * symbol.width + x]
        if isDark != expected { Issue.record("pixel \(row), \(column) differs") }
      }
    }
    // The checksum of an empty IEND is fixed by the format (ISO/IEC 15948).
    #expect(Array(file.suffix(12)) == [0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82])
  }

  private func chunk(_ type: String, of file: [UInt8]) throws -> [UInt8] {
    var place = 8
    while place + 12 <= file.count {
      let length = file[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
      let name = String(decoding: file[place + 4..<place + 8], as: UTF8.self)
      let data = Array(file[place + 8..<place + 8 + length])
      if name == type { return data }
      place += 12 + length
    }
    throw CocoaError(.fileReadCorruptFile)
  }
}
