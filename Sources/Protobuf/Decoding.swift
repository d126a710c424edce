package import CProtobufC

/// One decoding: checks the bytes and unpacks them into the thread's arena. Generated code copies
/// the C struct into Swift values and ends the decoding.
///
/// All pointers are into the arena, and valid until `end`.
@safe
package struct Decoding {
  private let arena: Arena
  private let mark: Arena.Mark
  /// The C struct of the message, as the generated table describes it.
  package let message: UnsafeRawPointer

  /// Checks and unpacks a message.
  /// - Throws: ``DecodeError``; then `end` must not be called.
  package init(
    _ bytes: RawSpan, _ table: UnsafePointer<ProtobufCMessageDescriptor>, _ limits: DecodeLimits
  ) throws(DecodeError) {
    guard bytes.byteCount <= limits.byteCount else { throw .tooLong }
    arena = Arena.current
    mark = arena.begin(budget: limits.memory)
    do throws(DecodeError) {
      let arena = arena
      unsafe message = try bytes.withUnsafeBytes { (buffer) throws(DecodeError) in
        unsafe try Decoding.unpack(
          WireCursor(buffer.assumingMemoryBound(to: UInt8.self)), table, limits, arena)
      }
    } catch {
      arena.release(mark)
      throw error
    }
  }

  /// Releases the arena's memory.
  package func end() { arena.release(mark) }

  private static func unpack(
    _ bytes: WireCursor, _ table: UnsafePointer<ProtobufCMessageDescriptor>,
    _ limits: DecodeLimits, _ arena: Arena
  ) throws(DecodeError) -> UnsafeRawPointer {
    var check = WireCheck()
    unsafe try check.message(bytes, table, depth: limits.depth)
    guard check.memory <= limits.memory else { throw .tooMuchMemory }
    if check.isRegular { return unsafe try unpackChecked(bytes, table, arena) }
    let rewrite = unsafe try WireRewrite(bytes, table, depth: limits.depth)
    return try unsafe rewrite.output.withUnsafeBufferPointer { (buffer) throws(DecodeError) in
      unsafe try unpackChecked(WireCursor(buffer), table, arena)
    }
  }

  private static func unpackChecked(
    _ bytes: WireCursor, _ table: UnsafePointer<ProtobufCMessageDescriptor>, _ arena: Arena
  ) throws(DecodeError) -> UnsafeRawPointer {
    // libprotobuf-c copies what it keeps into the arena.
    let message = unsafe protobuf_c_message_unpack(
      table, &arena.state.pointee.allocator, bytes.remaining, bytes.at)
    // The bytes have passed the check, so only the budget can be exhausted.
    guard let message = unsafe message else { throw .tooMuchMemory }
    return UnsafeRawPointer(message)
  }
}

/// Conversions of the C structs' fields to Swift values. All copy: nothing points into the arena
/// afterwards.
extension Decoding {
  /// Returns a string, which the wire check has validated as UTF-8.
  package static func string(_ data: ProtobufCBinaryData) -> String {
    let bytes = unsafe UnsafeBufferPointer(start: data.data, count: data.len)
    return unsafe String(copying: UTF8Span(unchecked: bytes.span))
  }

  package static func bytes(_ data: ProtobufCBinaryData) -> [UInt8] {
    unsafe Array(UnsafeBufferPointer(start: data.data, count: data.len))
  }

  package static func strings(
    _ elements: UnsafeMutablePointer<ProtobufCBinaryData>?, _ count: Int
  ) -> [String] {
    unsafe UnsafeBufferPointer(start: elements, count: count).map { unsafe string($0) }
  }

  package static func byteStrings(
    _ elements: UnsafeMutablePointer<ProtobufCBinaryData>?, _ count: Int
  ) -> [[UInt8]] {
    unsafe UnsafeBufferPointer(start: elements, count: count).map { unsafe bytes($0) }
  }

  package static func numbers<Number: BitwiseCopyable>(
    _ elements: UnsafeMutablePointer<Number>?, _ count: Int
  ) -> [Number] {
    unsafe Array(UnsafeBufferPointer(start: elements, count: count))
  }

  package static func booleans(
    _ elements: UnsafeMutablePointer<protobuf_c_boolean>?, _ count: Int
  ) -> [Bool] {
    unsafe UnsafeBufferPointer(start: elements, count: count).map { $0 != 0 }
  }

  package static func enumerations<E: Enumeration>(
    _ elements: UnsafeMutablePointer<Int32>?, _ count: Int
  ) -> [E] {
    unsafe UnsafeBufferPointer(start: elements, count: count).map { E(rawValue: $0) }
  }

  package static func unknownFields(_ base: ProtobufCMessage) -> UnknownFields {
    guard unsafe base.n_unknown_fields > 0, let fields = unsafe base.unknown_fields else {
      return UnknownFields()
    }
    // The rewrite has gathered them all in one length-delimited field.
    let content = unsafe UnsafeBufferPointer(
      start: UnsafePointer(fields[0].data), count: fields[0].len)
    var cursor = unsafe WireCursor(content)
    guard unsafe fields[0].tag == WireRewrite.gatheredNumber,
      let gathered = try? cursor.content()
    else { return UnknownFields() }
    return unsafe UnknownFields(
      checked: Array(UnsafeBufferPointer(start: gathered.at, count: gathered.remaining)))
  }
}
