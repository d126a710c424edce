internal import CProtobufC

/// Rewrites a checked message so that libprotobuf-c reads it as Google's decoders do.
///
/// - A singular message in pieces is merged: the contents of its pieces are concatenated, which is
///   what merging means on the wire.
/// - Of the members of a oneof, the last one is kept.
/// - Unknown fields, fields of another wire type and groups are gathered unchanged in one
///   length-delimited field. Its number is beyond protobuf's, so that no checked message can
///   contain it, and libprotobuf-c passes it on as unknown.
///
/// The bytes are borrowed for the duration of the call.
@safe
struct WireRewrite {
  /// A singular message or a member of a oneof, written when the whole message was read.
  @safe
  private struct Held {
    let field: UnsafePointer<ProtobufCFieldDescriptor>
    /// The contents of a message, or else the one record with its tag.
    var pieces: [WireCursor]
  }

  /// The size of a length, which is written after its content and padded: libprotobuf-c reads up to
  /// five bytes.
  private static let lengthBytes = 5
  /// The number of the gathered field: the first that a tag of 32 bits cannot hold.
  static let gatheredNumber: UInt32 = 1 << 29

  private(set) var output: [UInt8] = []
  private let depth: Int

  init(_ bytes: WireCursor, _ table: UnsafePointer<ProtobufCMessageDescriptor>, depth: Int)
    throws(DecodeError)
  {
    self.depth = depth
    output.reserveCapacity(bytes.remaining + bytes.remaining / 4 + 16)
    unsafe try message([bytes], table)
  }

  private mutating func message(
    _ pieces: [WireCursor], _ table: UnsafePointer<ProtobufCMessageDescriptor>
  ) throws(DecodeError) {
    var held: [Int: Held] = [:]
    var gathered: [UInt8] = []
    var lookup = unsafe FieldLookup(table)
    for piece in pieces {
      var cursor = piece
      while !cursor.isAtEnd {
        let start = cursor
        let tag = try cursor.tag()
        guard let field = unsafe lookup.find(tag >> 3),
          case let shape = unsafe FieldShape(field), shape.accepts(tag & 7)
        else {
          try cursor.skipValue(tag: tag, depth: depth)
          unsafe gathered.append(contentsOf: WireRewrite.bytes(from: start, to: cursor))
          continue
        }
        if shape.isMessage, shape.isRepeated {
          unsafe try nested(field, [try cursor.content()])
        } else if shape.isMessage || shape.oneof != 0 {
          unsafe try hold(field, shape, start, &cursor, &held)
        } else {
          try cursor.skipValue(tag: tag, depth: depth)
          unsafe output.append(contentsOf: WireRewrite.bytes(from: start, to: cursor))
        }
      }
    }
    for each in held.values.sorted(by: { unsafe $0.field.pointee.id < $1.field.pointee.id }) {
      if unsafe FieldShape(each.field).isMessage {
        unsafe try nested(each.field, each.pieces)
      } else if let record = each.pieces.last {
        unsafe output.append(
          contentsOf: UnsafeBufferPointer(start: record.at, count: record.remaining))
      }
    }
    if !gathered.isEmpty {
      appendVarint(UInt64(WireRewrite.gatheredNumber) << 3 | UInt64(WireType.length))
      appendVarint(UInt64(gathered.count))
      output.append(contentsOf: gathered)
    }
  }

  private func hold(
    _ field: UnsafePointer<ProtobufCFieldDescriptor>, _ shape: FieldShape, _ start: WireCursor,
    _ cursor: inout WireCursor, _ held: inout [Int: Held]
  ) throws(DecodeError) {
    let number = unsafe Int(field.pointee.id)
    // The members of a oneof share a slot; field numbers are positive.
    let place = shape.oneof == 0 ? number : -Int(shape.oneof)
    guard shape.isMessage else {
      var tagged = start
      try cursor.skipValue(tag: try tagged.tag(), depth: depth)
      unsafe held[place] = Held(
        field: field,
        pieces: [WireCursor(WireRewrite.bytes(from: start, to: cursor))])
      return
    }
    let content = try cursor.content()
    if unsafe held[place]?.field == field {
      held[place]?.pieces.append(content)
    } else {
      unsafe held[place] = Held(field: field, pieces: [content])
    }
  }

  private mutating func nested(
    _ field: UnsafePointer<ProtobufCFieldDescriptor>, _ pieces: [WireCursor]
  ) throws(DecodeError) {
    unsafe appendVarint(UInt64(field.pointee.id) << 3 | UInt64(WireType.length))
    let place = output.count
    output.append(contentsOf: repeatElement(0, count: WireRewrite.lengthBytes))
    unsafe try message(
      pieces, field.pointee.descriptor.assumingMemoryBound(to: ProtobufCMessageDescriptor.self))
    var length = output.count - place - WireRewrite.lengthBytes
    guard length <= Int(Int32.max) else { throw .tooLong }
    for index in 0..<WireRewrite.lengthBytes {
      let isLast = index == WireRewrite.lengthBytes - 1
      output[place + index] = UInt8(length & 0x7f) | (isLast ? 0 : 0x80)
      length >>= 7
    }
  }

  private mutating func appendVarint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      output.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    output.append(UInt8(value))
  }

  private static func bytes(
    from start: WireCursor, to end: WireCursor
  ) -> UnsafeBufferPointer<UInt8> {
    unsafe UnsafeBufferPointer(start: start.at, count: end.at - start.at)
  }
}
