import ServiceKit

/// A resident ID of 18 characters (GB 11643): region, birth date, sequence, check character.
/// Residence permits for residents of Hong Kong, Macao and Taiwan have the same form.
struct ResidentID: Sendable, Hashable {
  /// The minimum age of employment (Labour Law, art. 15).
  static let ageMin = 16
  /// The maximum age: an earlier birth date is taken for a typing error.
  static let ageMax = 120

  static let characterCount = 18
  private static let obsoleteCharacterCount = 15
  private static let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
  private static let checkCharacters = Array("10X98765432".utf8)

  /// The normalized number, for hashing, sealing and display.
  let text: String
  let birthDate: ChinaDate

  /// The code of the county that issued the first ID; it may have been retired since.
  var regionCode: String { String(text.prefix(6)) }

  /// Validates everything except for the age, which depends on the day.
  ///
  /// - Throws: `INVALID_ID`, `ID_OBSOLETE`, `REQUIRED`.
  init(checking raw: String, field: String) throws(FieldFailure) {
    let text = Normalization.text(raw)
    guard !text.isEmpty else { throw .required(field) }
    if text.utf8.count == Self.obsoleteCharacterCount, text.isASCIIDigits {
      throw .obsoleteID(field)
    }
    var characters = Array(text.utf8)
    guard characters.count == Self.characterCount,
      characters.dropLast().allSatisfy(\.isASCIIDigit)
    else { throw .invalidID(field, Texts.form) }
    var canonical = text
    if characters[17] == UInt8(ascii: "x") {
      characters[17] = UInt8(ascii: "X")
      canonical = String(decoding: characters, as: UTF8.self)
    }
    guard characters[17] == Self.checkCharacter(of: characters.prefix(17)) else {
      throw .invalidID(field, Texts.check)
    }
    guard RegionTable.shared.existsOrDid(canonical.prefix(6)) else {
      throw .invalidID(field, Texts.region)
    }
    guard let birthDate = Self.birthDate(characters) else {
      throw .invalidID(field, Texts.birthDate)
    }
    self.text = canonical
    self.birthDate = birthDate
  }

  /// Validates the number and the age on a day.
  ///
  /// - Throws: `INVALID_ID`, `ID_OBSOLETE`, `REQUIRED`, `UNDER_AGE`.
  init(checking raw: String, field: String, on today: ChinaDate) throws(FieldFailure) {
    try self.init(checking: raw, field: field)
    try checkAge(on: today, field: field)
  }

  /// - Throws: `INVALID_ID` for a birth date in the future or an age above ``ageMax``, `UNDER_AGE`.
  func checkAge(on today: ChinaDate, field: String) throws(FieldFailure) {
    if birthDate > today { throw .invalidID(field, Texts.unborn) }
    if isAfter(today, years: Self.ageMax) { throw .invalidID(field, Texts.tooOld) }
    if age(on: today) < Self.ageMin { throw .underAge(field, years: Self.ageMin) }
  }

  /// Returns the age in full years on a day. A person born on 29 February turns a year older on 1
  /// March of common years.
  func age(on day: ChinaDate) -> Int {
    let hadBirthday = (day.month, day.day) >= (birthDate.month, birthDate.day)
    return day.year - birthDate.year - (hadBirthday ? 0 : 1)
  }

  /// Returns the check character of 17 digits; `nil` if they are invalid.
  static func checkCharacter(of digits: some Collection<UInt8>) -> UInt8? {
    guard digits.count == weights.count, digits.allSatisfy(\.isASCIIDigit) else { return nil }
    let sum = zip(digits, weights).reduce(0) { $0 + $1.0.digitValue * $1.1 }
    return checkCharacters[sum % 11]
  }

  /// Returns whether `day` is more than `years` years after the birth date.
  private func isAfter(_ day: ChinaDate, years: Int) -> Bool {
    (day.year, day.month, day.day) > (birthDate.year + years, birthDate.month, birthDate.day)
  }

  private static func birthDate(_ characters: [UInt8]) -> ChinaDate? {
    let number = { (range: Range<Int>) in characters[range].reduce(0) { $0 * 10 + $1.digitValue } }
    return ChinaDate(year: number(6..<10), month: number(10..<12), day: number(12..<14))
  }

  private enum Texts {
    static let form = LocalizedText(
      zh: "居民身份证号应为 18 位：17 位数字和 1 位校验码。",
      en: "A resident ID has 18 characters: 17 digits and a check character.")
    static let check = LocalizedText(
      zh: "居民身份证号校验码不符，请核对。", en: "The check character does not fit: look again.")
    static let region = LocalizedText(
      zh: "居民身份证号前六位不是现行或曾用的行政区划代码。",
      en: "The first six digits are not a region code, present or former.")
    static let birthDate = LocalizedText(
      zh: "居民身份证号中的出生日期不存在。", en: "There is no such birth date.")
    static let unborn = LocalizedText(
      zh: "居民身份证号中的出生日期晚于今天。", en: "The birth date is in the future.")
    static let tooOld = LocalizedText(
      zh: "居民身份证号中的出生日期早于 120 年前。",
      en: "The birth date is more than 120 years ago.")
  }
}
