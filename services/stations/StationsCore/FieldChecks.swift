import Foundation
import GoogleType
import ServiceKit

/// Collects every wrong field of a request, so that all are told at once.
struct FieldChecks {
  private(set) var failures: [FieldFailure] = []

  /// The identifier in a resource name of `collection`; nil where it is none.
  mutating func resource(_ name: String, of collection: String, _ field: String) -> String? {
    do {
      return try ResourceName.parse(name, collection: collection, field: field)
    } catch {
      failures.append(error)
      return nil
    }
  }

  /// The request's idempotency key in canonical form; nil where it is none.
  mutating func requestID(_ text: String) -> String? {
    do {
      return try RequestID.parse(text)
    } catch {
      failures.append(error)
      return nil
    }
  }

  /// Keeps a failure of `field`.
  mutating func fail(_ field: String, _ reason: String, zh: String, en: String) {
    failures.append(
      FieldFailure(
        field: field, reason: reason,
        text: LocalizedText(zh: "\(field) \(zh)", en: "\(field) \(en)")))
  }

  /// Keeps a failure of `field` where `isRight` does not hold.
  mutating func require(
    _ isRight: Bool, _ field: String, _ reason: String, zh: String, en: String
  ) {
    if !isRight { fail(field, reason, zh: zh, en: en) }
  }

  /// The values of checks that all went well.
  ///
  /// - Throws: ``CommonFailure/invalidFields`` with every failure, where there is one.
  func finish<each Value>(_ values: repeat (each Value)?) throws -> (repeat each Value) {
    guard failures.isEmpty else { throw CommonFailure.invalidFields(failures) }
    return try (repeat unwrapped(each values))
  }

  /// A check that gives nothing has kept its failure.
  private func unwrapped<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw CommonFailure.invalidFields(failures) }
    return value
  }

  /// A text as it is stored: NFC, outer spaces off. It must have `length` characters (Unicode
  /// scalars: a cluster may be of any size) and no control character.
  mutating func text(_ value: String, _ field: String, length: ClosedRange<Int>) -> String {
    let clean = value.precomposedStringWithCanonicalMapping
      .trimmingCharacters(in: .whitespacesAndNewlines)
    let scalars = clean.unicodeScalars
    if scalars.isEmpty && length.lowerBound > 0 {
      fail(field, "REQUIRED", zh: "必填。", en: "is required.")
    } else if !length.contains(scalars.count) {
      fail(
        field, "INVALID_LENGTH", zh: "应为 \(length.lowerBound) 至 \(length.upperBound) 个字符。",
        en: "must have \(length.lowerBound) to \(length.upperBound) characters.")
    } else if scalars.contains(where: { $0.properties.generalCategory == .control }) {
      fail(field, "CONTROL_CHARACTER", zh: "不能含控制字符。", en: "must have no control character.")
    }
    return clean
  }

  /// Rows a page: `standard` where none is asked for, `maximum` at most; negative is refused.
  mutating func pageSize(_ size: Int32, standard: Int, maximum: Int) -> Int {
    require(
      size >= 0, "page_size", "OUT_OF_RANGE", zh: "不能为负数。", en: "must not be negative.")
    return size == 0 ? standard : min(Int(size), maximum)
  }

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
