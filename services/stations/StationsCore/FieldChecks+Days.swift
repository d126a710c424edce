import Foundation
import GoogleType
import ServiceKit

/// The checks of civil dates.
extension FieldChecks {
  /// A civil date as days since 1970-01-01; nil where it is not set or wrong.
  mutating func day(_ date: GoogleType.Date?, _ field: String) -> Int64? {
    guard let date else { return nil }
    guard
      let day = ChinaDate(year: Int(date.year), month: Int(date.month), day: Int(date.day))
    else {
      fail(field, "INVALID_DATE", zh: "不是有效日期。", en: "is no date of the calendar.")
      return nil
    }
    return Int64(day.daysSinceEpoch)
  }
}
