internal import CNghttp2

/// An immutable header list in the form that libnghttp2 takes, created once and sent many times.
///
/// Its strings are static, so the library is told not to copy them.
@safe public final class StaticFields: Sendable {
  // Owned by this object from init to deinit, never written after init.
  nonisolated(unsafe) let values: UnsafeMutableBufferPointer<nghttp2_nv>

  /// Creates a list in the order of `fields`. Names must be in lower case, pseudo headers first;
  /// neither is checked.
  public init(_ fields: KeyValuePairs<StaticString, StaticString>) {
    unsafe values = .allocate(capacity: fields.count)
    for (index, (name, value)) in fields.enumerated() {
      // The library does not write through these pointers; static strings are immortal.
      let field = unsafe nghttp2_nv(
        name: UnsafeMutablePointer(mutating: name.utf8Start),
        value: UnsafeMutablePointer(mutating: value.utf8Start),
        namelen: name.utf8CodeUnitCount, valuelen: value.utf8CodeUnitCount,
        flags: UInt8(
          NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue))
      unsafe values.initializeElement(at: index, to: field)
    }
  }

  deinit { unsafe values.deallocate() }
}

/// A header list to send, in one buffer.
public struct OutboundFields: Sendable {
  private struct Field {
    var start: Int
    var nameCount: Int
    var valueCount: Int
    var isIndexed: Bool
  }

  private var bytes: [UInt8] = []
  private var fields: [Field] = []

  /// Creates an empty list.
  public init() {}

  /// The number of fields.
  public var count: Int { fields.count }

  /// The library's upper bound of the encoded size of the fields.
  var bytesMax: Int { bytes.count + 12 * fields.count }

  /// Reserves capacity for a number of bytes and fields in total.
  public mutating func reserve(bytes byteCount: Int, fields fieldCount: Int) {
    bytes.reserveCapacity(byteCount)
    fields.reserveCapacity(fieldCount)
  }

  /// Removes all fields but keeps the memory.
  public mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    fields.removeAll(keepingCapacity: true)
  }

  /// Appends a field; the name must be lower case. Pass false for `isIndexed` to keep a value that
  /// is secret, or different each time, out of the peer's compression table (RFC 7541, section
  /// 7.1.3).
  public mutating func add(name: RawSpan, value: RawSpan, isIndexed: Bool = true) {
    let start = bytes.count
    unsafe name.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    unsafe value.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    fields.append(
      Field(
        start: start, nameCount: name.byteCount, valueCount: value.byteCount,
        isIndexed: isIndexed))
  }

  /// Appends a field of text; see `add(name:value:isIndexed:)`.
  public mutating func add(_ name: String, _ value: String, isIndexed: Bool = true) {
    let start = bytes.count
    bytes.append(contentsOf: name.utf8)
    let middle = bytes.count
    bytes.append(contentsOf: value.utf8)
    fields.append(
      Field(
        start: start, nameCount: middle - start, valueCount: bytes.count - middle,
        isIndexed: isIndexed))
  }

  /// Passes the list in the library's form to `body`. The memory is valid during the call; the
  /// library copies it.
  func withValues<Result>(
    _ body: (UnsafeBufferPointer<nghttp2_nv>) throws -> Result
  ) rethrows -> Result {
    try unsafe bytes.withUnsafeBufferPointer { buffer in
      // An empty array may have no base; then every field is empty too and the pointer unused.
      let base = unsafe UnsafeMutablePointer(mutating: buffer.baseAddress)
      return try unsafe withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: fields.count) {
        list in
        for (index, field) in fields.enumerated() {
          let name = unsafe base.map { unsafe $0 + field.start }
          let value = unsafe base.map { unsafe $0 + field.start + field.nameCount }
          let flags = field.isIndexed ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX
          unsafe list.initializeElement(
            at: index,
            to: nghttp2_nv(
              name: name, value: value, namelen: field.nameCount, valuelen: field.valueCount,
              flags: UInt8(flags.rawValue)))
        }
        return try unsafe body(UnsafeBufferPointer(list))
      }
    }
  }
}

/// A header list to send: a constant one, or one built for a single message.
public enum HeaderSource: Sendable {
  /// A list that is sent again and again.
  case fixed(StaticFields)
  /// A list that is built for one message.
  case list(OutboundFields)

  var bytesMax: Int {
    if case .list(let fields) = self { fields.bytesMax } else { 0 }
  }

  func withValues<Result>(
    _ body: (UnsafeBufferPointer<nghttp2_nv>) throws -> Result
  ) rethrows -> Result {
    switch self {
    case .fixed(let fields): try unsafe body(UnsafeBufferPointer(fields.values))
    case .list(let fields): try unsafe fields.withValues(body)
    }
  }
}
