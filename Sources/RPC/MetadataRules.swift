/// The rules that gRPC sets for a request's custom metadata.
/// Source: gRPC's PROTOCOL-HTTP2, Custom-Metadata.
package enum MetadataRules {
  /// Returns whether the trailers of a request are valid: custom metadata by the same rules as in
  /// the head, and nothing that describes the message or the connection, which would come too late.
  /// Names that gRPC reserves are allowed and mean nothing. Source: RFC 9110, section 6.5.1.
  package static func allows(trailers: HeaderList) -> Bool {
    let bytes = trailers.bytes.span.bytes
    for (index, field) in trailers.fields.enumerated() {
      let name = bytes.extracting(field.nameRange)
      if ReservedHeader.isReserved(name), !name.starts(with: "grpc-") { return false }
      if fault(trailers, at: index) != nil { return false }
    }
    return true
  }

  /// Returns why a custom field is invalid, in words for the caller; nil if it is valid or
  /// reserved.
  static func fault(_ fields: HeaderList, at index: Int) -> String? {
    let field = fields.fields[index]
    let name = fields.bytes.span.bytes.extracting(field.nameRange)
    if ReservedHeader.isReserved(name) { return nil }
    guard isName(name) else {
      return "metadata '\(fields.name(at: index))': a name is of 0-9, a-z, '_', '-' and '.'"
    }
    guard isBinary(name), !isBase64(fields.bytes[field.valueRange]) else { return nil }
    return "metadata '\(fields.name(at: index))' is not base64"
  }

  private static func isName(_ name: RawSpan) -> Bool {
    name.withUnsafeBytes { bytes in
      for byte in bytes {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
          UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
          continue
        default: return false
        }
      }
      return true
    }
  }

  private static func isBinary(_ name: RawSpan) -> Bool {
    let count = name.byteCount
    return count >= 4 && name.extracting(last: 4).equals("-bin")
  }

  /// Returns whether a field is base64: one value, or several that are joined.
  private static func isBase64(_ value: ArraySlice<UInt8>) -> Bool {
    Base64.pieces(of: value).allSatisfy { Base64.decode($0) != nil }
  }
}

/// Rules for the target of a request: `:authority`, and `host` if an intermediary left one.
/// Source: RFC 9113, section 8.3.1.
package enum Authority {
  /// Returns whether an authority is one host, with or without a port: without the deprecated
  /// userinfo before an `@`, and without a list.
  package static func isValid(_ authority: RawSpan) -> Bool {
    authority.withUnsafeBytes { bytes in
      var colon: Int?
      var isBracketed = false
      for (index, byte) in bytes.enumerated() {
        switch byte {
        case UInt8(ascii: "@"), UInt8(ascii: ","): return false
        case UInt8(ascii: "["):
          guard index == 0 else { return false }
          isBracketed = true
        case UInt8(ascii: "]"):
          guard isBracketed else { return false }
          isBracketed = false
        case UInt8(ascii: ":") where !isBracketed:
          guard colon == nil, index > 0 else { return false }
          colon = index
        default: break
        }
      }
      guard let colon else { return !isBracketed }
      // The port may be missing behind its colon.
      var port = 0
      for byte in bytes[(colon + 1)...] {
        guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return false }
        port = port * 10 + Int(byte - UInt8(ascii: "0"))
        guard port <= UInt16.max else { return false }
      }
      return true
    }
  }

  /// Returns whether a scheme is that of HTTP. Source: RFC 9110, section 4.2.
  static func isHTTP(scheme: RawSpan) -> Bool {
    scheme.equalsIgnoringCase("https") || scheme.equalsIgnoringCase("http")
  }

  /// Returns whether `host` matches `:authority`, without regard to letter case and the scheme's
  /// default port.
  static func agree(_ fields: HeaderList) -> Bool {
    guard let authority = fields[":authority"], let host = fields["host"] else { return true }
    let port = fields[":scheme"] == "https" ? ":443" : ":80"
    func normal(_ name: String) -> String {
      let name = name.lowercased()
      return name.hasSuffix(port) ? String(name.dropLast(port.count)) : name
    }
    return normal(authority) == normal(host)
  }
}
