/// Validates UTF-8 (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF).
package enum UTF8Check {
  private static let highBits: UInt64 = 0x8080_8080_8080_8080

  /// Returns whether the bytes are UTF-8.
  package static func isValid(_ bytes: ArraySlice<UInt8>) -> Bool {
    // The slice's own memory, for the length of the call; an empty one may have no address.
    unsafe bytes.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return true }
      return unsafe isValid(start, count: buffer.count)
    }
  }

  /// Returns whether the bytes are UTF-8. They are borrowed from the caller.
  static func isValid(_ start: UnsafePointer<UInt8>, count: Int) -> Bool {
    var at = unsafe UnsafeRawPointer(start)
    let end = unsafe at + count
    // ASCII is checked eight bytes at a time; the last eight may overlap those before.
    while unsafe end - at >= 8 {
      guard unsafe at.loadUnaligned(as: UInt64.self) & highBits == 0 else {
        return unsafe isValidSlowly(at, end)
      }
      unsafe at += 8
    }
    if count >= 8 {
      if unsafe (end - 8).loadUnaligned(as: UInt64.self) & highBits == 0 { return true }
    } else if count >= 4 {
      let first = unsafe at.loadUnaligned(as: UInt32.self)
      let last = unsafe (end - 4).loadUnaligned(as: UInt32.self)
      if UInt64(first | last) & highBits == 0 { return true }
    }
    return unsafe isValidSlowly(at, end)
  }

  private static func isValidSlowly(_ start: UnsafeRawPointer, _ end: UnsafeRawPointer) -> Bool {
    var at = unsafe start
    while unsafe at < end {
      let first = unsafe at.load(as: UInt8.self)
      if first < 0x80 {
        unsafe at += 1
        continue
      }
      guard let form = Form(first), unsafe end - at >= form.byteCount else { return false }
      guard unsafe form.second.contains(at.load(fromByteOffset: 1, as: UInt8.self)) else {
        return false
      }
      for index in 2..<max(form.byteCount, 2) {
        guard unsafe at.load(fromByteOffset: index, as: UInt8.self) & 0xc0 == 0x80 else {
          return false
        }
      }
      unsafe at += form.byteCount
    }
    return true
  }

  /// The bytes that may follow a first byte: table 3-7 of the Unicode Standard.
  private struct Form {
    let byteCount: Int
    let second: ClosedRange<UInt8>

    init?(_ first: UInt8) {
      switch first {
      case 0xc2...0xdf: (byteCount, second) = (2, 0x80...0xbf)
      case 0xe0: (byteCount, second) = (3, 0xa0...0xbf)
      case 0xed: (byteCount, second) = (3, 0x80...0x9f)
      case 0xe1...0xef: (byteCount, second) = (3, 0x80...0xbf)
      case 0xf0: (byteCount, second) = (4, 0x90...0xbf)
      case 0xf1...0xf3: (byteCount, second) = (4, 0x80...0xbf)
      case 0xf4: (byteCount, second) = (4, 0x80...0x8f)
      default: return nil
      }
    }
  }
}
