import Foundation

/// Collects every wrong field of a request, so that all are told at once.
///
/// A value of one task: each check gives the value as it is used, or keeps a failure. Services add
/// the checks of their own nouns.
public struct FieldChecks: Sendable {
  /// What is wrong so far.
  public private(set) var failures: [FieldFailure] = []

  /// Nothing is wrong yet.
  public init() {}

  /// The value, or nil with its failure kept.
  public mutating func take<Value>(_ value: () throws(FieldFailure) -> Value) -> Value? {
    do {
      return try value()
    } catch {
      failures.append(error)
      return nil
    }
  }

  /// Keeps what is wrong with `field`.
  public mutating func add(_ field: String, _ reason: String, _ text: LocalizedText) {
    failures.append(FieldFailure(field: field, reason: reason, text: text))
  }

  /// Keeps the failures of other checks too.
  public mutating func add(_ more: [FieldFailure]) { failures += more }

  /// Keeps a failure of `field`; the texts follow its name.
  public mutating func fail(_ field: String, _ reason: String, zh: String, en: String) {
    add(field, reason, LocalizedText(zh: zh, en: en))
  }

  /// Keeps a failure of `field` where `isRight` does not hold.
  public mutating func require(
    _ isRight: Bool, _ field: String, _ reason: String, zh: String, en: String
  ) {
    if !isRight { fail(field, reason, zh: zh, en: en) }
  }

  /// - Throws: ``CommonFailure/invalidFields`` with every failure, where there is one.
  public func check() throws {
    if !failures.isEmpty { throw CommonFailure.invalidFields(failures) }
  }

  /// The values of checks that all went well.
  ///
  /// - Throws: ``CommonFailure/invalidFields`` with every failure, where there is one.
  public func finish<each Value>(
    _ values: repeat (each Value)?
  ) throws -> (repeat each Value) {
    try check()
    return try (repeat unwrapped(each values))
  }

  /// A check that gives nothing has kept its failure.
  private func unwrapped<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw CommonFailure.invalidFields(failures) }
    return value
  }
}

extension FieldChecks {
  /// The identifier in a resource name of `collection`; nil where it is none.
  public mutating func resource(
    _ name: String, of collection: String, _ field: String
  ) -> String? {
    take { () throws(FieldFailure) in
      try ResourceName.parse(name, collection: collection, field: field)
    }
  }

  /// The request's idempotency key in canonical form; nil where it is none.
  public mutating func requestID(_ text: String) -> String? {
    take { () throws(FieldFailure) in try RequestID.parse(text) }
  }

  /// A text as it is stored: NFC, outer spaces off. It must have `length` characters (Unicode
  /// scalars: a cluster may be of any size) and no control character.
  public mutating func text(
    _ value: String, _ field: String, length: ClosedRange<Int>
  ) -> String {
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
  public mutating func pageSize(
    _ size: Int32, standard: Int = 50, maximum: Int = 1_000
  ) -> Int {
    require(
      size >= 0, "page_size", "OUT_OF_RANGE", zh: "不能为负数。", en: "must not be negative.")
    return size == 0 ? standard : min(Int(size), maximum)
  }
}
