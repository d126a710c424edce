/// The header names that belong to HTTP/2 and to gRPC itself, never to a call's metadata.
package enum ReservedHeader {
  package static func isReserved(_ name: String) -> Bool {
    var name = name
    return name.withUTF8 { isReserved(RawSpan(_unsafeBytes: UnsafeRawBufferPointer($0))) }
  }

  /// Pseudo headers, `grpc-…`, and what a connection or the call itself says.
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
  /// Whether these bytes are exactly that text.
  package func equals(_ text: StaticString) -> Bool {
    byteCount == text.utf8CodeUnitCount && starts(with: text)
  }

  /// Whether these bytes begin with that text.
  package func starts(with text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard byteCount >= count else { return false }
    // Static strings live for ever; a plain loop, since this runs for every header field.
    let expected = text.utf8Start
    return withUnsafeBytes { bytes in
      for index in 0..<count where bytes[index] != expected[index] { return false }
      return true
    }
  }
}
