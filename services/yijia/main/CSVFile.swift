import Foundation
import Protobuf
import ServiceKit
import SwiftCSV

/// A CSV file with a header line, in UTF-8.
struct CSVFile {
  /// A larger file is not a table that a person prepared; services import those by stream.
  private static let bytesMax = 256 << 20

  let rows: [[String: String]]

  /// - Parameter columns: Columns that the file must have.
  init(path: String, columns: [String]) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw ConfigurationError("\(path): cannot be read")
    }
    guard data.count <= Self.bytesMax else {
      throw ConfigurationError("\(path): larger than \(Self.bytesMax >> 20) MiB")
    }
    guard var text = String(data: data, encoding: .utf8) else {
      throw ConfigurationError("\(path): is not UTF-8 text; save the table as \"CSV UTF-8\"")
    }
    if text.hasPrefix("\u{FEFF}") { text.removeFirst() }
    let csv: NamedCSV
    do {
      csv = try NamedCSV(string: text, delimiter: .comma, loadColumns: false)
    } catch {
      throw ConfigurationError("\(path): is no CSV table: \(error)")
    }
    let missing = columns.filter { !csv.header.contains($0) }
    guard missing.isEmpty else {
      throw ConfigurationError("\(path): column \(missing.joined(separator: ", ")) is missing")
    }
    rows = csv.rows
  }

  /// Returns the items of a cell that are separated by `;`.
  static func items(_ cell: String?) -> [String] {
    (cell ?? "").split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty }
  }
}

/// Returns the name of an enum value in the contracts without the enum's prefix: `TRUCK_DRIVER` for
/// `OCCUPATION_GROUP_TRUCK_DRIVER`.
func contractName<Value: Enumeration>(_ value: Value) -> String {
  // The first value is named PREFIX_UNSPECIFIED (buf lint).
  let prefix = (Value().protoName ?? "").count - "UNSPECIFIED".count
  return value.protoName.map { String($0.dropFirst(max(0, prefix))) } ?? value.description
}

/// Returns the enum value with a contract name: the unspecified one for an empty cell, and an
/// unknown one for an unknown name, so that the service reports the field.
func enumValue<Value: Enumeration>(_ name: String, of type: Value.Type) -> Value {
  let wanted = name.isEmpty ? "UNSPECIFIED" : name.uppercased()
  return type.allCases.first { contractName($0) == wanted } ?? Value(rawValue: -1)
}
