/// The regions of GB/T 2260 in force, their townships, and the retired codes.
///
/// Built once from versioned data (``RegionData``). Immutable: safe to use from any thread.
struct RegionTable: Sendable {
  static let shared = RegionTable(current: RegionData.current, retired: RegionData.retired)

  /// The region codes of residence permits for residents of Hong Kong, Macao and Taiwan.
  private static let residencePermits: Set<UInt32> = [810_000, 820_000, 830_000]

  /// The names of regions in force by six-digit code.
  private let names: [UInt32: String]
  /// The names of townships in force by nine-digit code.
  private let townships: [UInt32: String]
  /// The counties whose townships the table lists.
  private let countiesWithTownships: Set<UInt32>
  /// The cities with counties, which have no townships of their own.
  private let citiesWithCounties: Set<UInt32>
  private let retired: [UInt32: RetiredRegion]
  /// The six-digit codes in force, ascending.
  private let numbers: [UInt32]
  /// The retired six-digit codes, ascending.
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
    citiesWithCounties = Set(names.keys.lazy.filter { $0 % 100 != 0 }.map { $0 / 100 * 100 })
    self.retired = retiredRegions
    numbers = names.keys.sorted()
    retiredNumbers = retiredRegions.keys.sorted()
  }

  /// Returns whether a code of 6, 9 or 12 digits is in force. The table has no villages, and lacks
  /// the townships of some counties: these digits are not checked. Provinces and cities with
  /// counties have no townships of their own.
  func isCurrent(_ code: some StringProtocol) -> Bool {
    guard [6, 9, 12].contains(code.utf8.count), code.utf8.allSatisfy(\.isASCIIDigit),
      let county = Self.number(code.utf8.prefix(6)), names[county] != nil
    else { return false }
    guard code.utf8.count > 6 else { return true }
    guard let township = Self.number(code.utf8.prefix(9)) else { return false }
    if countiesWithTownships.contains(county) { return townships[township] != nil }
    return !county.isMultiple(of: 10_000) && !citiesWithCounties.contains(county)
      && !township.isMultiple(of: 1_000)
  }

  /// Returns whether a six-digit code is or was in force.
  func existsOrDid(_ code: some StringProtocol) -> Bool {
    guard code.utf8.count == 6, let number = Self.number(code.utf8) else { return false }
    return names[number] != nil || retired[number] != nil
      || Self.residencePermits.contains(number)
  }

  /// Returns the name of a region or township in force; `nil` if there is none.
  func name(of code: some StringProtocol) -> String? {
    guard let number = Self.number(code.utf8) else { return nil }
    return code.utf8.count == 6 ? names[number] : townships[number]
  }

  /// Returns the retired region of a six-digit code; `nil` if the code is in force or never was.
  func retiredRegion(_ code: some StringProtocol) -> RetiredRegion? {
    guard code.utf8.count == 6 else { return nil }
    return Self.number(code.utf8).flatMap { retired[$0] }
  }

  /// Returns the code of the parent of a region in force; `nil` for provinces and unknown codes.
  func parent(of code: String) -> String? {
    guard isCurrent(code), code.utf8.count <= 9 else { return nil }
    if code.utf8.count == 9 { return String(code.prefix(6)) }
    let near: String = code.hasSuffix("00") ? code.prefix(2) + "0000" : code.prefix(4) + "00"
    return [near, code.prefix(2) + "0000"].first { $0 != code && isCurrent($0) }
  }

  /// Returns the codes of the child regions in force, ascending; the provinces for the empty code.
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

  /// Returns the retired codes that share the prefix of a region's code; all for the empty code.
  func retiredCodes(within code: String) -> [String] {
    let prefix = RegionCode.digits(of: code)
    return retiredNumbers.lazy.map(Self.text).filter { $0.hasPrefix(prefix) }
  }

  /// Returns the six digits of a code, which never starts with 0.
  private static func text(_ code: UInt32) -> String { String(code) }

  private static func forEachLine(_ text: StaticString, _ body: (ArraySlice<UInt8>) -> Void) {
    let bytes = text.withUTF8Buffer { Array($0) }
    for line in bytes.split(separator: UInt8(ascii: "\n")) { body(line) }
  }

  /// Returns the number of one to nine ASCII digits; `nil` for anything else.
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

/// A region code that is no longer in force.
struct RetiredRegion: Sendable, Hashable {
  let name: String
  /// The first and the last year of the code in the sources.
  let years: ClosedRange<Int>
  /// The code that replaced it, as far as the sources tell.
  let successor: String?
}
