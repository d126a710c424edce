import ServiceKit

/// The containment of regions, by their codes (GB/T 2260): the digits of a region's code begin the
/// codes of all regions within it.
enum RegionCode {
  /// Returns the significant digits of a code of 6, 9 or 12 digits; none for 000000, the nation.
  static func digits(of code: String) -> Substring {
    var digits = code[...]
    while digits.utf8.count > 6, digits.hasSuffix("000") { digits = digits.dropLast(3) }
    while digits.utf8.count <= 6, digits.hasSuffix("00") { digits = digits.dropLast(2) }
    return digits
  }

  /// Returns whether a region is another one or lies within it.
  static func lies(_ code: String, within outer: String) -> Bool {
    code.hasPrefix(digits(of: outer))
  }

  /// Checks that the region of an organization lies within its parent's: rules of routing choose
  /// receivers by region, so nobody names one of another federation.
  static func check(_ code: String, within parent: String, field: String) throws(FieldFailure) {
    guard lies(code, within: parent) else { throw .outsideParent(field, region: parent) }
  }
}
