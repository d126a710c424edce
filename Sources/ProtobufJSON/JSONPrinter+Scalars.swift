import Foundation
internal import Protobuf

extension JSONPrinter {
  /// Writes a value that is not a message.
  mutating func scalar(
    _ kind: FieldType.Kind, _ reader: inout WireReader
  ) throws(JSONPrintError) {
    do {
      switch kind.wireType {
      case 0: number(kind, try reader.varint())
      case 1: number(kind, try reader.fixed64())
      case 5: number(kind, UInt64(try reader.fixed32()))
      default:
        let content = reader.bytes[reader.at..<reader.end]
        if kind == .bytes { return put(raw: "\"\(Data(content).base64EncodedString())\"") }
        guard UTF8Check.isValid(content) else { throw DecodeError.invalidUTF8(field: 0) }
        put(escaping: content)
      }
    } catch {
      throw .malformed("\(error)")
    }
  }

  /// Writes the zero value of a field that is absent on the wire.
  mutating func zero(_ kind: FieldType.Kind) throws(JSONPrintError) {
    switch kind {
    case .string, .bytes: put("\"\"")
    case .message(let index): try message([], 0..<0, registry.messages[index], depth: 0)
    default: number(kind, 0)
    }
  }

  private mutating func number(_ kind: FieldType.Kind, _ raw: UInt64) {
    switch kind {
    case .double: floating(Double(bitPattern: raw))
    case .float: floating(Float(bitPattern: UInt32(truncatingIfNeeded: raw)))
    case .int32, .sfixed32: put(raw: String(Int32(truncatingIfNeeded: raw)))
    case .uint32, .fixed32: put(raw: String(UInt32(truncatingIfNeeded: raw)))
    case .sint32:
      let short = UInt32(truncatingIfNeeded: raw)
      put(raw: String(Int32(bitPattern: short >> 1) ^ -Int32(bitPattern: short & 1)))
    case .int64, .sfixed64: put(raw: "\"\(Int64(bitPattern: raw))\"")
    case .uint64, .fixed64: put(raw: "\"\(raw)\"")
    case .sint64: put(raw: "\"\(Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1))\"")
    case .bool: put(raw: raw == 0 ? "false" : "true")
    case .enumeration(let index):
      let type = registry.enums[index]
      let value = Int32(truncatingIfNeeded: raw)
      if type.isNull {
        put("null")
      } else if let name = type.name(of: value) {
        put(string: name)
      } else {
        put(raw: String(value))
      }
    case .string, .bytes, .message: break
    }
  }

  /// Writes the shortest text that is read as the same number.
  mutating func floating<Number: BinaryFloatingPoint & CustomStringConvertible>(_ value: Number) {
    if value.isNaN {
      put("\"NaN\"")
    } else if value.isInfinite {
      put(raw: value < 0 ? "\"-Infinity\"" : "\"Infinity\"")
    } else {
      let text = value.description
      // A reader that distinguishes integers would lose the sign of "-0".
      let isPlain = text.hasSuffix(".0") && text != "-0.0"
      put(raw: isPlain ? String(text.dropLast(2)) : text)
    }
  }
}
