import GoogleType
import Protobuf
import ServiceKit

/// Returns the name of an enum value in the contracts without the enum's prefix: `TRUCK_DRIVER` for
/// `OCCUPATION_GROUP_TRUCK_DRIVER`.
func contractName<Value: Enumeration>(_ value: Value) -> String {
  // The first value is named PREFIX_UNSPECIFIED (buf lint).
  let prefix = (Value().protoName ?? "").count - "UNSPECIFIED".count
  return value.protoName.map { String($0.dropFirst(max(0, prefix))) } ?? value.description
}

/// Returns the names of an enum's values, without the unspecified one.
func contractNames<Value: Enumeration>(of type: Value.Type) -> [String] {
  type.allCases.filter { $0.rawValue != 0 }.map { contractName($0) }
}

/// Returns the enum value with a contract name: the unspecified one for an empty cell, and an
/// unknown one for an unknown name, so that the service reports the field.
func enumValue<Value: Enumeration>(_ name: String, of type: Value.Type) -> Value {
  let wanted = name.isEmpty ? "UNSPECIFIED" : name.uppercased()
  return type.allCases.first { contractName($0) == wanted } ?? Value(rawValue: -1)
}

/// Returns a day as 2026-11-21; empty for none.
func dayText(_ date: GoogleType.Date?) -> String {
  guard let date,
    let day = ChinaDate(year: Int(date.year), month: Int(date.month), day: Int(date.day))
  else { return "" }
  return day.description
}

/// Finds the word that somebody may have meant.
enum Spelling {
  /// Returns the nearest of `words`, where it is near enough to be a slip of the pen.
  static func nearest(to word: String, among words: [String]) -> String? {
    let nearest = words.map { ($0, distance(word.lowercased(), $0.lowercased())) }
      .min { $0.1 < $1.1 }
    guard let (found, distance) = nearest, distance <= max(1, word.count / 3) else { return nil }
    return found
  }

  /// Returns how many letters must be inserted, removed or changed (Levenshtein's distance).
  private static func distance(_ one: String, _ other: String) -> Int {
    let other = Array(other)
    var row = Array(0...other.count)
    for (index, letter) in one.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for (column, its) in other.enumerated() {
        let changed = diagonal + (letter == its ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(changed, diagonal + 1, row[column] + 1)
      }
    }
    return row[other.count]
  }
}
