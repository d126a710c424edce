/// The regions of GB/T 2260 in force, their townships, and the codes that were in force once.
///
/// Versioned data (``RegionData``), read once; immutable and safe to use from any thread.
struct RegionTable: Sendable {
  static let shared = RegionTable(current: RegionData.current, retired: RegionData.retired)

  /// Residence permits of Hong Kong, Macao and Taiwan residents are issued under these.
  private static let residencePermits: Set<UInt32> = [810_000, 820_000, 830_000]

  /// Name by six-digit code of a region in force.
  private let names: [UInt32: String]
  /// Name by nine-digit code of a township in force.
  private let townships: [UInt32: String]
  /// Counties whose townships the table lists.
  private let countiesWithTownships: Set<UInt32>
  private let retired: [UInt32: RetiredRegion]
  /// Six-digit codes in force, ascending; and those that are no more.
  private let numbers: [UInt32]
  private let retiredNumbers: [UInt32]

  init(current: StaticString, retired: StaticString) {
    var names: [UInt32: String] = [:]
    var townships: [UInt32: String] = [:]
    var counties: Set<UInt32> = []
    names.reserveCapacity(4_000)
    townships.reserveCapacity(45_000)
    Self.forEachLine(current) { line in
      guard let code = Self.number(line.prefix(6)) else { return }
      let fields = line.dropFirst(6).split(separator: UInt8(ascii: "\t"))
      guard let name = fields.first else { return }
      names[code] = String(decoding: name, as: UTF8.self)
      guard fields.count > 1 else { return }
      counties.insert(code)
      for item in fields[1].split(separator: UInt8(ascii: ",")) {
        guard let suffix = Self.number(item.prefix(3)) else { continue }
        townships[code * 1_000 + suffix] = String(decoding: item.dropFirst(3), as: UTF8.self)
      }
    }
    var retiredRegions: [UInt32: RetiredRegion] = [:]
    Self.forEachLine(retired) { line in
      guard let code = Self.number(line.prefix(6)) else { return }
      let fields = line.dropFirst(6).split(separator: UInt8(ascii: "\t")).map {
        String(decoding: $0, as: UTF8.self)
      }
      guard fields.count >= 3, let first = Int(fields[1]), let last = Int(fields[2]) else {
        return
      }
      retiredRegions[code] = RetiredRegion(
        name: fields[0], years: first...last, successor: fields.count > 3 ? fields[3] : nil)
    }
    self.names = names
    self.townships = townships
    countiesWithTownships = counties
    self.retired = retiredRegions
    numbers = names.keys.sorted()
    retiredNumbers = retiredRegions.keys.sorted()
  }

  /// Whether a code of 6, 9 or 12 digits is in force. Villages are not in the table: the last three
  /// digits of a code of 12 are taken as given.
  func isCurrent(_ code: some StringProtocol) -> Bool {
    guard [6, 9, 12].contains(code.utf8.count), code.utf8.allSatisfy(\.isASCIIDigit),
      let county = Self.number(code.utf8.prefix(6)), names[county] != nil
    else { return false }
    guard code.utf8.count > 6, countiesWithTownships.contains(county) else { return true }
    return Self.number(code.utf8.prefix(9)).map { townships[$0] != nil } ?? false
  }

  /// Whether a six-digit code is or was in force.
  func existsOrDid(_ code: some StringProtocol) -> Bool {
    guard code.utf8.count == 6, let number = Self.number(code.utf8) else { return false }
    return names[number] != nil || retired[number] != nil
      || Self.residencePermits.contains(number)
  }

  /// Name of a region or township in force; nil where there is none.
  func name(of code: some StringProtocol) -> String? {
    guard let number = Self.number(code.utf8) else { return nil }
    return code.utf8.count == 6 ? names[number] : townships[number]
  }

  /// What became of a six-digit code that no region has any more; nil where one has, or never had.
  func retiredRegion(_ code: some StringProtocol) -> RetiredRegion? {
    guard code.utf8.count == 6 else { return nil }
    return Self.number(code.utf8).flatMap { retired[$0] }
  }

  /// The code of the region above one in force; nil for a province, and for what is not in force.
  func parent(of code: String) -> String? {
    guard isCurrent(code), code.utf8.count <= 9 else { return nil }
    if code.utf8.count == 9 { return String(code.prefix(6)) }
    let near: String = code.hasSuffix("00") ? code.prefix(2) + "0000" : code.prefix(4) + "00"
    return [near, code.prefix(2) + "0000"].first { $0 != code && isCurrent($0) }
  }

  /// The parts of a region in force by code: of the nation, where the code is empty, the provinces.
  func children(of code: String) -> [String] {
    if code.utf8.count == 9 { return [] }
    let children = numbers.lazy.map(Self.text).filter { parent(of: $0) ?? "" == code }
    guard let county = Self.number(code.utf8), countiesWithTownships.contains(county) else {
      return Array(children)
    }
    return (UInt32(0)..<1_000).compactMap { suffix in
      let township = county * 1_000 + suffix
      return townships[township] == nil ? nil : String(township)
    }
  }

  /// The codes that no region has any more and that begin as a region's does; all for the nation.
  func retiredCodes(within code: String) -> [String] {
    var prefix = code[...]
    while prefix.utf8.count <= 6, prefix.hasSuffix("00") { prefix = prefix.dropLast(2) }
    return retiredNumbers.lazy.map(Self.text).filter { $0.hasPrefix(prefix) }
  }

  /// No province's number is below 100,000: six digits.
  private static func text(_ code: UInt32) -> String { String(code) }

  private static func forEachLine(_ text: StaticString, _ body: (ArraySlice<UInt8>) -> Void) {
    let bytes = text.withUTF8Buffer { Array($0) }
    for line in bytes.split(separator: UInt8(ascii: "\n")) { body(line) }
  }

  /// The number of up to nine ASCII digits; nil for anything else.
  private static func number(_ digits: some Collection<UInt8>) -> UInt32? {
    guard (1...9).contains(digits.count) else { return nil }
    var number: UInt32 = 0
    for digit in digits {
      guard digit.isASCIIDigit else { return nil }
      number = number * 10 + UInt32(digit.digitValue)
    }
    return number
  }
}

/// A code that no region has any more.
struct RetiredRegion: Sendable, Hashable {
  let name: String
  /// From the first mention to the last.
  let years: ClosedRange<Int>
  /// What it became, where the sources say so.
  let successor: String?
}
