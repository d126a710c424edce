/// The order of a map's entries on the wire: that of Google's upb, on which Python, Ruby and PHP
/// run, so that the encoding equals `SerializeToString(deterministic=True)`.
///
/// Google guarantees that order within one build only, and its implementations differ (pure Python
/// and C++ ascend): nothing may depend on it but a comparison with the pinned version. Determined
/// by experiment with protobuf 7.36: numbers descend by their bits, true precedes false, strings
/// ascend by their bytes, and a string precedes its own prefixes.
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
