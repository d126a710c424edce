internal import CQRencode
internal import Glibc

/// A QR code (ISO/IEC 18004): a square of dark and light modules, without the quiet zone around it,
/// which the renderings add.
///
/// A value: safe to use from any task. Making one takes well under a millisecond.
public struct Symbol: Sendable, Hashable {
  /// How much of a damaged symbol can be missing.
  public enum Correction: Sendable, Hashable, CaseIterable {
    /// Some 7 percent.
    case low
    /// Some 15 percent: for screens and ordinary print.
    case medium
    /// Some 25 percent.
    case quartile
    /// Some 30 percent: for posters in the open.
    case high
  }

  /// Modules a side: 21 to 177.
  public let width: Int
  /// Row by row, left to right; true is dark.
  public let modules: [Bool]

  /// Encodes a text, in the smallest version that holds it.
  ///
  /// Digits and upper-case letters take less room than the rest: the library mixes modes by itself.
  /// - Throws: ``SymbolError``.
  public init(_ text: String, correction: Correction = .medium) throws(SymbolError) {
    guard !text.isEmpty, !text.utf8.contains(0) else { throw .notEncodable }
    // The library made the symbol, which is ours until the end of this function.
    let made = unsafe text.withCString { string in
      unsafe QRcode_encodeString(string, 0, correction.level, QR_MODE_8, 1)
    }
    guard let made = unsafe made else { throw errno == ERANGE ? .tooLong : .outOfMemory }
    defer { unsafe QRcode_free(made) }
    let width = unsafe Int(made.pointee.width)
    // `width` × `width` bytes, as qrencode.h says, of which the lowest bit is the module.
    let data = unsafe UnsafeBufferPointer(start: made.pointee.data, count: width * width)
    self.width = width
    unsafe modules = data.map { $0 & 1 == 1 }
  }

  subscript(row: Int, column: Int) -> Bool { modules[row * width + column] }
}

/// Why a text has no symbol.
public enum SymbolError: Error, Sendable, Hashable {
  /// It is empty, or holds NUL.
  case notEncodable
  /// More than the largest symbol holds: 2,331 bytes at medium correction.
  case tooLong
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
