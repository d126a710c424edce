package import CProtobufC

/// One encoding: generated code fills C structs in the thread's arena, libprotobuf-c packs them.
///
/// What it hands out is the arena's, until `end`.
@safe
package struct Encoding {
  private let arena: Arena
  private let mark: Arena.Mark
  private var depth = DecodeLimits.standard.depth + 1
  private var isTooDeep = false

  package init() {
    arena = Arena.current
    mark = arena.begin(budget: .max)
  }

  /// Gives the arena back.
  package func end() { arena.release(mark) }

  /// Enters a message; false when messages lie too deep, and the rest is to be left out: `pack`
  /// throws then.
  package mutating func enter() -> Bool {
    depth -= 1
    if depth < 0 { isTooDeep = true }
    return depth >= 0
  }

  package mutating func leave() { depth += 1 }

  /// A C struct of the table, with no field set.
  package func make(
    _ table: UnsafePointer<ProtobufCMessageDescriptor>
  ) -> UnsafeMutableRawPointer {
    let byteCount = unsafe table.pointee.sizeof_message
    let place = unsafe memory(byteCount)
    unsafe place.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    unsafe place.assumingMemoryBound(to: ProtobufCMessage.self).pointee.descriptor = table
    return unsafe place
  }

  /// The encoding of a filled struct, after `headroom` zeros.
  /// - Throws: ``EncodeError``.
  package func pack(
    _ message: UnsafeMutableRawPointer, headroom: Int
  ) throws(EncodeError) -> [UInt8] {
    guard !isTooDeep else { throw .tooDeep }
    let base = unsafe UnsafePointer(message.assumingMemoryBound(to: ProtobufCMessage.self))
    let byteCount = unsafe protobuf_c_message_get_packed_size(base)
    guard byteCount <= Int(Int32.max) else { throw .tooLong }
    return unsafe [UInt8](unsafeUninitializedCapacity: headroom + byteCount) {
      buffer, initialized in
      unsafe buffer.prefix(headroom).update(repeating: 0)
      if byteCount > 0, let start = buffer.baseAddress {
        // The array has room for exactly the size that was just computed.
        unsafe protobuf_c_message_pack(base, start + headroom)
      }
      initialized = headroom + byteCount
    }
  }

  private func memory(_ byteCount: Int) -> UnsafeMutableRawPointer {
    guard let place = unsafe arena.take(byteCount) else {
      preconditionFailure("an encoding's arena has no limit")
    }
    return unsafe place
  }
}

/// What the C structs hold of Swift values. All is copied into the arena.
extension Encoding {
  package func string(_ text: String) -> ProtobufCBinaryData {
    var text = text
    return text.withUTF8 { unsafe copy($0) }
  }

  package func bytes(_ bytes: [UInt8]) -> ProtobufCBinaryData {
    unsafe bytes.withUnsafeBufferPointer { unsafe copy($0) }
  }

  private func copy(_ source: UnsafeBufferPointer<UInt8>) -> ProtobufCBinaryData {
    guard let start = source.baseAddress, source.count > 0 else {
      return unsafe ProtobufCBinaryData(len: 0, data: nil)
    }
    let place = unsafe memory(source.count)
    unsafe place.copyMemory(from: start, byteCount: source.count)
    return unsafe ProtobufCBinaryData(
      len: source.count, data: place.assumingMemoryBound(to: UInt8.self))
  }

  /// Room for the pointers of a repeated message field: generated code fills it, without generics.
  package func pointers(_ count: Int) -> UnsafeMutableRawPointer {
    unsafe memory(count * MemoryLayout<UnsafeMutableRawPointer?>.stride)
  }

  package func strings(_ elements: [String]) -> UnsafeMutablePointer<ProtobufCBinaryData> {
    let place = unsafe room(elements.count, of: ProtobufCBinaryData.self)
    for index in elements.indices {
      unsafe (place + index).initialize(to: string(elements[index]))
    }
    return unsafe place
  }

  package func byteStrings(_ elements: [[UInt8]]) -> UnsafeMutablePointer<ProtobufCBinaryData> {
    let place = unsafe room(elements.count, of: ProtobufCBinaryData.self)
    for index in elements.indices {
      unsafe (place + index).initialize(to: bytes(elements[index]))
    }
    return unsafe place
  }

  package func numbers<Number: BitwiseCopyable>(
    _ elements: [Number]
  ) -> UnsafeMutablePointer<Number> {
    let place = unsafe room(elements.count, of: Number.self)
    unsafe elements.withUnsafeBufferPointer { source in
      if let start = source.baseAddress {
        unsafe place.initialize(from: start, count: source.count)
      }
    }
    return unsafe place
  }

  package func booleans(_ elements: [Bool]) -> UnsafeMutablePointer<protobuf_c_boolean> {
    let place = unsafe room(elements.count, of: protobuf_c_boolean.self)
    for index in elements.indices {
      unsafe (place + index).initialize(to: elements[index] ? 1 : 0)
    }
    return unsafe place
  }

  package func enumerations(_ elements: [some Enumeration]) -> UnsafeMutablePointer<Int32> {
    let place = unsafe room(elements.count, of: Int32.self)
    for index in elements.indices {
      unsafe (place + index).initialize(to: elements[index].rawValue)
    }
    return unsafe place
  }

  private func room<Element>(
    _ count: Int, of type: Element.Type
  ) -> UnsafeMutablePointer<Element> {
    unsafe memory(count * MemoryLayout<Element>.stride)
      .bindMemory(to: Element.self, capacity: count)
  }

  /// Puts the unknown fields after the known ones.
  package func unknownFields(_ fields: UnknownFields, _ message: UnsafeMutableRawPointer) {
    guard !fields.isEmpty else { return }
    // libprotobuf-c writes an unknown field as `tag << 3 | wire_type` and its data. With the tag 0
    // and the first byte as the wire type, the run of fields comes out as it is.
    let data = unsafe bytes(fields.bytes)
    let place = unsafe memory(MemoryLayout<ProtobufCMessageUnknownField>.size)
      .bindMemory(to: ProtobufCMessageUnknownField.self, capacity: 1)
    unsafe place.initialize(
      to: ProtobufCMessageUnknownField(
        tag: 0, wire_type: ProtobufCWireType(rawValue: UInt32(fields.bytes[0])), len: data.len - 1,
        data: data.data + 1))
    let base = unsafe message.assumingMemoryBound(to: ProtobufCMessage.self)
    unsafe base.pointee.n_unknown_fields = 1
    unsafe base.pointee.unknown_fields = unsafe place
  }
}
