internal import CQRencode
internal import Glibc

/// A QR code (ISO/IEC 18004): a square of dark and light modules, without the quiet zone, which the
/// renderings add.
///
/// Safe to use from any task. Encoding takes well under a millisecond.
public struct Symbol: Sendable, Hashable {
  /// The error correction level: the share of a symbol that may be damaged.
  public enum Correction: Sendable, Hashable, CaseIterable {
    /// About 7 percent.
    case low
    /// About 15 percent: for screens and ordinary print.
    case medium
    /// About 25 percent.
    case quartile
    /// About 30 percent: for posters outdoors.
    case high
  }

  /// The number of modules per side: 21 to 177.
  public let width: Int
  /// The modules, row by row, left to right; true is dark.
  public let modules: [Bool]

  /// Encodes a text in the smallest version that holds it.
  ///
  /// Digits and upper-case letters take less space, because the library mixes encoding modes.
  /// - Throws: ``SymbolError``.
  public init(_ text: String, correction: Correction = .medium) throws(SymbolError) {
    guard !text.isEmpty, !text.utf8.contains(0) else { throw .notEncodable }
    // The library allocates the symbol, which is owned by this function until it returns.
    let made = unsafe text.withCString { string in
      unsafe QRcode_encodeString(string, 0, correction.level, QR_MODE_8, 1)
    }
    guard let made = unsafe made else { throw errno == ERANGE ? .tooLong : .outOfMemory }
    defer { unsafe QRcode_free(made) }
    let width = unsafe Int(made.pointee.width)
    // `width` × `width` bytes (qrencode.h), of which the lowest bit is the module.
    let data = unsafe UnsafeBufferPointer(start: made.pointee.data, count: width * width)
    self.width = width
    unsafe modules = data.map { $0 & 1 == 1 }
  }

  subscript(row: Int, column: Int) -> Bool { modules[row * width + column] }
}

/// The reasons why a text can't be encoded.
public enum SymbolError: Error, Sendable, Hashable {
  /// The text is empty or contains NUL.
  case notEncodable
  /// The text exceeds the largest symbol: 2,331 bytes at medium correction.
  case tooLong
  /// Memory could not be allocated.
  case outOfMemory
}

extension Symbol.Correction {
  fileprivate var level: QRecLevel {
    switch self {
    case .low: QR_ECLEVEL_L
    case .medium: QR_ECLEVEL_M
    case .quartile: QR_ECLEVEL_Q
    case .high: QR_ECLEVEL_H
    }
  }
}
