internal import Storage

/// The OIDs of the PostgreSQL types that the engine sends or decodes (`pg_type.dat`).
enum PostgresType {
  static let boolean: UInt32 = 16
  static let bytes: UInt32 = 17
  static let character: UInt32 = 18
  static let name: UInt32 = 19
  static let int8: UInt32 = 20
  static let int2: UInt32 = 21
  static let int4: UInt32 = 23
  static let text: UInt32 = 25
  static let float4: UInt32 = 700
  static let float8: UInt32 = 701
  static let unknown: UInt32 = 705
  static let blankPadded: UInt32 = 1_042
  static let varying: UInt32 = 1_043
  static let numeric: UInt32 = 1_700
  static let void: UInt32 = 2_278
}

extension SQLValue {
  /// The OID declared for this argument; 0 for NULL, whose type the server infers.
  var postgresType: UInt32 {
    switch self {
    case .null: 0
    case .integer: PostgresType.int8
    case .real: PostgresType.float8
    case .text: PostgresType.text
    case .blob: PostgresType.bytes
    }
  }

  /// Appends the argument in binary format; returns false for NULL.
  ///
  /// - Throws: `StorageError.statement` for a text with NUL, which PostgreSQL can't store.
  func appendBinary(to bytes: inout [UInt8]) throws(StorageError) -> Bool {
    switch self {
    case .null: return false
    case .integer(let integer): bytes.append(bigEndian: UInt64(bitPattern: integer))
    case .real(let real): bytes.append(bigEndian: real.bitPattern)
    case .text(let text):
      let start = bytes.count
      bytes.append(contentsOf: text.utf8)
      if bytes[start...].contains(0) { throw .statement(.init("a text holds NUL")) }
    case .blob(let blob): bytes.append(contentsOf: blob)
    }
    return true
  }

  /// Decodes a value in binary format.
  ///
  /// - Throws: `StorageError.statement` for an unsupported type.
  init(_ bytes: UnsafeRawBufferPointer, ofType type: UInt32) throws(StorageError) {
    func integer<I: FixedWidthInteger>(_: I.Type) throws(StorageError) -> I {
      guard bytes.count == MemoryLayout<I>.size else { throw .io(.init("a value is cut")) }
      return I(bigEndian: bytes.loadUnaligned(as: I.self))
    }
    switch type {
    case PostgresType.int8: self = .integer(try integer(Int64.self))
    case PostgresType.int4: self = .integer(Int64(try integer(Int32.self)))
    case PostgresType.int2: self = .integer(Int64(try integer(Int16.self)))
    case PostgresType.boolean: self = .integer(Int64(try integer(UInt8.self)))
    case PostgresType.float8: self = .real(Double(bitPattern: try integer(UInt64.self)))
    case PostgresType.float4: self = .real(Double(Float(bitPattern: try integer(UInt32.self))))
    case PostgresType.text, PostgresType.varying, PostgresType.name, PostgresType.blankPadded,
      PostgresType.character, PostgresType.unknown:
      self = .text(String(decoding: bytes, as: UTF8.self))
    case PostgresType.bytes: self = .blob(Array(bytes))
    case PostgresType.void: self = .null
    case PostgresType.numeric: self = try SQLValue(numeric: bytes)
    default: throw .statement(.init("a column of type \(type), which no service uses"))
    }
  }

  /// Decodes a `numeric`, the type of sums: to an integer if exact, else to a real.
  ///
  /// The format is four 16-bit numbers (digit count, weight of the first digit, sign, scale),
  /// followed by the digits in base 10,000.
  private init(numeric bytes: UnsafeRawBufferPointer) throws(StorageError) {
    func word(_ index: Int) -> Int {
      Int(Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2 * index, as: Int16.self)))
    }
    guard bytes.count >= 8, word(0) >= 0, bytes.count == 8 + 2 * word(0), word(2) != -16_384 else {
      throw .statement(.init("a numeric that is no number"))
    }
    let (count, weight, isNegative) = (word(0), word(1), word(2) == 0x4000)
    var whole: Int64? = count > weight + 1 ? nil : 0
    var real = 0.0
    for index in 0..<max(count, weight + 1) {
      let digit = index < count ? word(4 + index) : 0
      real = real * 10_000 + Double(digit)
      guard let before = whole else { continue }
      let (product, over) = before.multipliedReportingOverflow(by: 10_000)
      let step = Int64(isNegative ? -digit : digit)
      let (sum, overSum) = product.addingReportingOverflow(step)
      whole = over || overSum ? nil : sum
    }
    if let whole {
      self = .integer(whole)
    } else {
      for _ in 0..<max(0, count - weight - 1) { real /= 10_000 }
      self = .real(isNegative ? -real : real)
    }
  }
}

extension [UInt8] {
  fileprivate mutating func append(bigEndian value: UInt64) {
    Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
  }
}
