import ServiceKit

/// Collects every wrong field of a request, to report all at once.
struct FieldFailures: Sendable {
  private(set) var failures: [FieldFailure] = []

  var isEmpty: Bool { failures.isEmpty }

  /// The value, or nil with its failure taken.
  mutating func take<Value>(_ value: () throws(FieldFailure) -> Value) -> Value? {
    do {
      return try value()
    } catch {
      failures.append(error)
      return nil
    }
  }

  mutating func add(_ field: String, _ reason: String, _ text: LocalizedText) {
    failures.append(FieldFailure(field: field, reason: reason, text: text))
  }

  mutating func add(_ more: [FieldFailure]) { failures += more }

  /// - Throws: ``CommonFailure/invalidFields(_:)`` where there is any.
  func check() throws {
    if !isEmpty { throw CommonFailure.invalidFields(failures) }
  }
}
