import ServiceKit

/// The reasons why a field is invalid, each with a message that names the remedy.
extension FieldFailure {
  static func required(_ field: String) -> FieldFailure {
    FieldFailure(
      field: field, reason: "REQUIRED",
      text: LocalizedText(zh: "此项必填。", en: "This field is required."))
  }

  /// A person applies with the data of somebody else.
  static func notOwn(_ field: String) -> FieldFailure {
    FieldFailure(
      field: field, reason: "NOT_OWN",
      text: LocalizedText(
        zh: "只能为本人申请：请用登录的手机号，或本人的身份证号。",
        en: "Apply for yourself: with the phone that you signed in by, or your own resident ID."))
  }

  static func tooLong(_ field: String, charactersMax: Int) -> FieldFailure {
    FieldFailure(
      field: field, reason: "TOO_LONG",
      text: LocalizedText(
        zh: "最多 \(charactersMax) 个字符。", en: "At most \(charactersMax) characters."))
  }

  static func invalidCharacter(_ field: String) -> FieldFailure {
    FieldFailure(
      field: field, reason: "INVALID_CHARACTER",
      text: LocalizedText(
        zh: "含有控制字符或换行，请删除。", en: "Remove control characters and line breaks."))
  }

  /// An enumeration value that is not allowed here.
  static func invalidValue(_ field: String) -> FieldFailure {
    FieldFailure(
      field: field, reason: "INVALID_VALUE",
      text: LocalizedText(zh: "取值不在允许范围内。", en: "This value is not one of those allowed."))
  }

  static func invalidMemberNumber(_ field: String) -> FieldFailure {
    FieldFailure(
      field: field, reason: "INVALID_VALUE",
      text: LocalizedText(
        zh: "会员号应为 11 位数字，末位是校验码，请与会员证核对。",
        en: "A member number has 11 digits, the last one a check digit: compare it with the card."))
  }

  static func invalidID(_ field: String, _ text: LocalizedText) -> FieldFailure {
    FieldFailure(field: field, reason: "INVALID_ID", text: text)
  }

  static func obsoleteID(_ field: String) -> FieldFailure {
    FieldFailure(
      field: field, reason: "ID_OBSOLETE",
      text: LocalizedText(
        zh: "15 位居民身份证已停用，请提供 18 位号码。",
        en: "Resident IDs of 15 digits are obsolete: give the one of 18."))
  }

  static func underAge(_ field: String, years: Int) -> FieldFailure {
    FieldFailure(
      field: field, reason: "UNDER_AGE",
      text: LocalizedText(
        zh: "未满 \(years) 周岁，不能入会（劳动法第十五条）。",
        en: "Younger than \(years) on this day: cannot join (Labour Law, art. 15)."))
  }

  static func invalidPhone(_ field: String) -> FieldFailure {
    FieldFailure(
      field: field, reason: "INVALID_PHONE",
      text: LocalizedText(
        zh: "手机号应为 11 位数字，以 13 至 19 开头。",
        en: "A mobile number has 11 digits and starts with 13 to 19."))
  }

  static func invalidPersonName(_ field: String, _ text: LocalizedText) -> FieldFailure {
    FieldFailure(field: field, reason: "INVALID_NAME", text: text)
  }

  static func invalidCreditCode(_ field: String, _ text: LocalizedText) -> FieldFailure {
    FieldFailure(field: field, reason: "INVALID_CREDIT_CODE", text: text)
  }

  static func unknownRegion(_ field: String) -> FieldFailure {
    FieldFailure(
      field: field, reason: "UNKNOWN_REGION",
      text: LocalizedText(
        zh: "行政区划代码应为现行的 6、9 或 12 位代码。",
        en: "Give a region code in force, of 6, 9 or 12 digits."))
  }

  /// The region of an organization is not within its parent's.
  static func outsideParent(_ field: String, region: String) -> FieldFailure {
    FieldFailure(
      field: field, reason: "OUTSIDE_PARENT_REGION",
      text: LocalizedText(
        zh: "所在地区须在上级组织的地区（\(region)）之内。",
        en: "The region must lie within the parent's, \(region)."))
  }

  /// The region of an organization would not contain that of one below it.
  static func regionTooSmall(_ field: String, without region: String) -> FieldFailure {
    FieldFailure(
      field: field, reason: "CHILD_OUTSIDE_REGION",
      text: LocalizedText(
        zh: "有下级组织的地区（\(region)）不在其内，请先变更下级组织。",
        en: "An organization directly below it is in \(region): change or move that one first."))
  }

  static func invalidPlate(_ field: String) -> FieldFailure {
    FieldFailure(
      field: field, reason: "INVALID_PLATE",
      text: LocalizedText(
        zh: "应为车牌号，如 冀C12345。", en: "Give a license plate number, such as 冀C12345."))
  }

  static func invalidLicense(_ field: String) -> FieldFailure {
    FieldFailure(
      field: field, reason: "INVALID_LICENSE",
      text: LocalizedText(
        zh: "请按驾驶证填写准驾车型，如 A2 或 B2D。",
        en: "Give the vehicle classes of the driver's license, such as A2 or B2D."))
  }

  static func inPast(
    _ field: String,
    _ text: LocalizedText = LocalizedText(zh: "截止日期已过。", en: "The due date is over.")
  ) -> FieldFailure {
    FieldFailure(field: field, reason: "IN_PAST", text: text)
  }

  static func inFuture(_ field: String) -> FieldFailure {
    FieldFailure(
      field: field, reason: "IN_FUTURE",
      text: LocalizedText(zh: "时间不能晚于现在。", en: "This time is in the future."))
  }
}
