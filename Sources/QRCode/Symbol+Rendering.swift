internal import Compression

extension Symbol {
  /// The width of the quiet zone in modules (ISO/IEC 18004, 5.3.8).
  private static let quietZone = 4
  /// The valid module sizes in pixels, which keep the largest symbol below 6,000 pixels a side.
  public static let modulePixels = 1...32

  private var sideModules: Int { width + 2 * Self.quietZone }

  /// Returns the symbol as an SVG 1.1 image, dark on white, including the quiet zone.
  ///
  /// - Parameter modulePixels: The module size in pixels if the image is not scaled; within
  ///   ``modulePixels``.
  public func svg(modulePixels: Int = 8) -> String {
    precondition(Self.modulePixels.contains(modulePixels), "pixels of a module out of range")
    let side = sideModules
    var path = ""
    for row in 0..<width {
      for (start, length) in darkRuns(row) {
        path += "M\(start + Self.quietZone) \(row + Self.quietZone)h\(length)v1h-\(length)z"
      }
    }
    let pixels = side * modulePixels
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      <svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="\(pixels)" height="\(pixels)" \
      viewBox="0 0 \(side) \(side)" shape-rendering="crispEdges">
      <rect width="\(side)" height="\(side)" fill="#fff"/>
      <path d="\(path)" fill="#000"/>
      </svg>

      """
  }

  /// The symbol as lines of half blocks (U+2580 and its like), two rows of modules a line, with a
  /// quiet zone of two modules, which suffices on a screen. To be shown in black on white.
  public var halfBlocks: [String] {
    let margin = 2
    func isDark(_ row: Int, _ column: Int) -> Bool {
      (0..<width).contains(row) && (0..<width).contains(column) && self[row, column]
    }
    return stride(from: -margin, to: width + margin, by: 2).map { row in
      (-margin..<width + margin).map { column in
        switch (isDark(row, column), isDark(row + 1, column)) {
        case (true, true): "█"
        case (true, false): "▀"
        case (false, true): "▄"
        case (false, false): " "
        }
      }.joined()
    }
  }

  /// Returns the runs of dark modules in a row.
  private func darkRuns(_ row: Int) -> [(start: Int, length: Int)] {
    var runs: [(start: Int, length: Int)] = []
    var column = 0
    while column < width {
      let start = column
      while column < width, self[row, column] { column += 1 }
      if column > start { runs.append((start, column - start)) }
      column += 1
    }
    return runs
  }

  /// Returns the symbol as a PNG image with one bit per pixel, dark on white, including the quiet
  /// zone.
  ///
  /// - Parameter modulePixels: The module size in pixels; within ``modulePixels``.
  /// - Throws: ``SymbolError/outOfMemory``.
  public func png(modulePixels: Int = 8) throws(SymbolError) -> [UInt8] {
    precondition(Self.modulePixels.contains(modulePixels), "pixels of a module out of range")
    let side = sideModules * modulePixels
    let light = Self.scanline([Bool](repeating: false, count: side))
    var image: [UInt8] = []
    image.reserveCapacity(side * light.count)
    let margin = Self.quietZone * modulePixels
    for _ in 0..<margin { image += light }
    for row in 0..<width {
      var pixels = [Bool](repeating: false, count: side)
      for (start, length) in darkRuns(row) {
        let first = margin + start * modulePixels
        for pixel in first..<first + length * modulePixels { pixels[pixel] = true }
      }
      let line = Self.scanline(pixels)
      for _ in 0..<modulePixels { image += line }
    }
    for _ in 0..<margin { image += light }
    do {
      // The bytes are borrowed for this call.
      let packed = try unsafe Format.zlib.compress(image.span.bytes)
      return PNG.file(side: UInt32(side), image: packed)
    } catch {
      throw .outOfMemory
    }
  }

  /// Encodes a row of pixels as a PNG scan line: the filter type "none", then eight pixels per
  /// byte, of which 1 is white.
  private static func scanline(_ dark: [Bool]) -> [UInt8] {
    var line: [UInt8] = [0]
    for start in stride(from: 0, to: dark.count, by: 8) {
      var byte: UInt8 = 0xFF
      for (bit, isDark) in dark[start..<min(start + 8, dark.count)].enumerated() where isDark {
        byte &= ~(0x80 >> UInt8(bit))
      }
      line.append(byte)
    }
    return line
  }
}

/// The part of the PNG format (ISO/IEC 15948) that a black and white square needs.
private enum PNG {
  private static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// - Parameter image: The scan lines, zlib-compressed.
  static func file(side: UInt32, image: [UInt8]) -> [UInt8] {
    // Bit depth 1, grayscale, deflate, adaptive filtering (method 0), not interlaced.
    let header = bytes(side) + bytes(side) + [1, 0, 0, 0, 0]
    return signature + chunk("IHDR", header) + chunk("IDAT", image) + chunk("IEND", [])
  }

  private static func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
    let checked = Array(type.utf8) + data
    return bytes(UInt32(data.count)) + checked + bytes(checksum(checked))
  }

  private static func bytes(_ number: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
  }

  /// CRC-32 (ISO 3309) as specified in PNG's annex D.
  private static func checksum(_ data: [UInt8]) -> UInt32 {
    ~data.reduce(0xFFFF_FFFF) { sum, byte in
      table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] ^ sum >> 8
    }
  }

  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in
      value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1
    }
  }
}
