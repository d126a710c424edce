internal import CProtobufC

/// The properties of a field that the generated tables add to libprotobuf-c's; see
/// CProtobufC/shim.h.
struct FieldShape {
  private let bits: UInt32

  init(_ field: UnsafePointer<ProtobufCFieldDescriptor>) {
    bits = unsafe field.pointee.reserved_flags
  }

  /// The wire type of a single value.
  var wireType: UInt32 { (bits >> 8) & 7 }
  var isRepeated: Bool { bits & UInt32(YIJIA_REPEATED) != 0 }
  var isText: Bool { bits & UInt32(YIJIA_TEXT) != 0 }
  var isMessage: Bool { bits & UInt32(YIJIA_MESSAGE) != 0 }
  /// The number of its oneof, from 1; 0 outside of a oneof.
  var oneof: UInt32 { bits & 0xff }

  /// Returns whether the field takes a value of this wire type: its own, or packed numbers.
  func accepts(_ wireType: UInt32) -> Bool {
    wireType == self.wireType || wireType == WireType.length && isRepeated
  }
}

/// Finds a message's fields by number. Usually it is the one after the last one found, or that
/// again.
@safe
struct FieldLookup {
  private let fields: UnsafePointer<ProtobufCFieldDescriptor>?
  private let count: Int
  private var index = 0

  /// Creates a lookup in a table, which is generated, static and never freed.
  init(_ table: UnsafePointer<ProtobufCMessageDescriptor>) {
    unsafe fields = unsafe table.pointee.fields
    count = unsafe Int(table.pointee.n_fields)
  }

  mutating func find(_ number: UInt32) -> UnsafePointer<ProtobufCFieldDescriptor>? {
    guard let fields = unsafe fields else { return nil }
    if index < count, unsafe fields[index].id == number { return unsafe fields + index }
    if index + 1 < count, unsafe fields[index + 1].id == number {
      index += 1
      return unsafe fields + index
    }
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      let id = unsafe fields[middle].id
      if id == number {
        index = middle
        return unsafe fields + middle
      }
      if id < number { low = middle + 1 } else { high = middle }
    }
    return nil
  }
}
