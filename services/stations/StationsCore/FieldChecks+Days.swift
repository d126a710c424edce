import Foundation
import GoogleType
import ServiceKit

/// Validation of civil dates.
extension FieldChecks {
  /// Converts a civil date to days since 1970-01-01; nil where it is unset or invalid.
  mutating func day(_ date: GoogleType.Date?, _ field: String) -> Int64? {
    guard let date else { return nil }
    guard
      let day = ChinaDate(year: Int(date.year), month: Int(date.month), day: Int(date.day))
    else {
      fail(field, "INVALID_DATE", zh: "不是有效日期。", en: "is not a date of the calendar.")
      return nil
    }
    return Int64(day.daysSinceEpoch)
  }
}
