/// The header names that belong to HTTP/2 and to gRPC itself, and never to custom metadata.
package enum ReservedHeader {
  /// Returns whether a name is reserved.
  package static func isReserved(_ name: String) -> Bool {
    var name = name
    return name.withUTF8 { isReserved(RawSpan(_unsafeBytes: UnsafeRawBufferPointer($0))) }
  }

  /// Returns whether a name is reserved: a pseudo-header, `grpc-…` except `grpc-trace-bin`, or a
  /// header that describes the connection or the call itself.
  package static func isReserved(_ name: RawSpan) -> Bool {
    let count = name.byteCount
    guard count > 0 else { return true }
    switch name.unsafeLoad(fromByteOffset: 0, as: UInt8.self) {
    case UInt8(ascii: ":"): return true
    case UInt8(ascii: "g"): return name.starts(with: "grpc-") && !name.equals("grpc-trace-bin")
    case UInt8(ascii: "t"):
      return name.equals("te") || name.equals("transfer-encoding") || name.equals("trailer")
    case UInt8(ascii: "c"):
      return name.equals("content-type") || name.equals("connection")
        || name.equals("content-length")
    case UInt8(ascii: "h"): return name.equals("host")
    case UInt8(ascii: "k"): return name.equals("keep-alive")
    case UInt8(ascii: "p"): return name.equals("proxy-connection")
    case UInt8(ascii: "u"): return name.equals("upgrade")
    default: return false
    }
  }
}

extension RawSpan {
  /// Returns whether the bytes equal a text.
  package func equals(_ text: StaticString) -> Bool {
    byteCount == text.utf8CodeUnitCount && starts(with: text)
  }

  /// Returns whether the bytes equal a lower-case text without regard to the case of letters.
  package func equalsIgnoringCase(_ text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard byteCount == count else { return false }
    let expected = text.utf8Start
    return withUnsafeBytes { bytes in
      for index in 0..<count {
        let byte = bytes[index]
        let isUpper = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
        guard (isUpper ? byte | 0x20 : byte) == expected[index] else { return false }
      }
      return true
    }
  }

  /// Returns whether the bytes begin with a text.
  package func starts(with text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard byteCount >= count else { return false }
    // Static strings are immortal. This is a plain loop, since it runs for every header field.
    let expected = text.utf8Start
    return withUnsafeBytes { bytes in
      for index in 0..<count where bytes[index] != expected[index] { return false }
      return true
    }
  }
}
