import Foundation
import Storage

/// Where identifiers come from: 128 random bits, written as 32 lower-case hex digits, so that a
/// resource name leaks neither order nor time.
public struct IDSource: Sendable {
  private let make: @Sendable () -> String

  /// - Parameter make: Returns an identifier that it never returned before; called from any
  ///   thread.
  public init(_ make: @escaping @Sendable () -> String) { self.make = make }

  /// The system's cryptographically secure generator.
  public static let system = IDSource { hex(RandomWords.next()) }

  /// The next identifier.
  public func next() -> String { make() }

  /// Whether `text` is an identifier: 32 lower-case hex digits.
  public static func isIdentifier(_ text: some StringProtocol) -> Bool {
    text.utf8.count == 32
      && text.utf8.allSatisfy {
        ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9"))
          || ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "f"))
      }
  }

  private static func hex(_ value: UInt128) -> String {
    let digits: StaticString = "0123456789abcdef"
    return String(unsafeUninitializedCapacity: 32) { text in
      for place in 0..<32 {
        text[place] = digits.utf8Start[Int(value >> (124 - 4 * UInt128(place)) & 15)]
      }
      return 32
    }
  }
}

/// A resource name of one collection: `members/{32 hex digits}` (AIP-122).
public enum ResourceName {
  /// The identifier in `name`, or a failure of `field` where it is none of `collection`.
  public static func parse(
    _ name: String, collection: String, field: String
  ) throws(FieldFailure) -> String {
    if name.hasPrefix(collection + "/") {
      let id = name.dropFirst(collection.count + 1)
      if IDSource.isIdentifier(id) { return String(id) }
    }
    throw FieldFailure(
      field: field, reason: name.isEmpty ? "REQUIRED" : "INVALID_NAME",
      text: LocalizedText(
        zh: "应为 \(collection)/ 加 32 位十六进制编号。",
        en: "must be \(collection)/ and 32 hex digits."))
  }
}

/// An idempotency key (AIP-155).
public enum RequestID {
  /// The key in canonical form (lower-case UUID), or a failure of `field`.
  public static func parse(
    _ text: String, field: String = "request_id"
  ) throws(FieldFailure) -> String {
    // Foundation's parser takes the 8-4-4-4-12 form only.
    if text.utf8.count == 36, let uuid = UUID(uuidString: text) {
      return uuid.uuidString.lowercased()
    }
    throw FieldFailure(
      field: field, reason: text.isEmpty ? "REQUIRED" : "INVALID_UUID",
      text: LocalizedText(
        zh: "应为 UUID，同一请求重试时须使用同一编号。",
        en: "must be a UUID; a retry of the same request uses the same one."))
  }
}
