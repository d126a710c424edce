/// The order of a map's entries on the wire: that of Google's upb, which Python, Ruby and PHP run
/// on, so that our bytes are those of `SerializeToString(deterministic=True)`.
///
/// Google promises that order for one build only, and its implementations differ (pure Python and
/// C++ ascend): nothing may hang on it but a comparison with the pinned version. Found by trial
/// with protobuf 7.36: numbers descend by their bits, true comes before false, strings ascend by
/// their bytes, and of two of which one begins with the other, the longer comes first.
package enum MapOrder {
  package static func precedes<Key: FixedWidthInteger>(_ a: Key, _ b: Key) -> Bool {
    (a < 0) != (b < 0) ? a < 0 : a > b
  }

  package static func precedes(_ a: Bool, _ b: Bool) -> Bool { a && !b }

  package static func precedes(_ a: String, _ b: String) -> Bool {
    var left = a.utf8.makeIterator()
    var right = b.utf8.makeIterator()
    while let next = left.next() {
      guard let other = right.next() else { return true }
      if next != other { return next < other }
    }
    return false
  }
}
