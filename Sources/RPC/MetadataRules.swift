/// The rules that gRPC sets for a request's custom metadata.
/// Source: gRPC's PROTOCOL-HTTP2, Custom-Metadata.
enum MetadataRules {
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

  /// Returns whether a field is base64: one value, or several separated by commas.
  private static func isBase64(_ value: ArraySlice<UInt8>) -> Bool {
    value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
      .allSatisfy { Base64.decode($0) != nil }
  }
}

/// Rules for the target of a request: `:authority`, and `host` if an intermediary left one.
/// Source: RFC 9113, section 8.3.1.
enum Authority {
  /// Returns whether an authority has the deprecated userinfo before an `@`, which is not allowed.
  static func hasUser(_ authority: RawSpan) -> Bool {
    authority.withUnsafeBytes { $0.contains(UInt8(ascii: "@")) }
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
