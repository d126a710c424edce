import ArgumentParser
import Foundation
import GoogleProtobuf
import GoogleType
import Protobuf
import ServiceKit
import Storage

/// How options are read: a wrong value is refused with the usage of its own command.
enum Arguments {
  static func day(_ text: String) throws -> GoogleType.Date {
    let parts = text.split(separator: "-").compactMap { Int($0) }
    guard parts.count == 3, let day = ChinaDate(year: parts[0], month: parts[1], day: parts[2])
    else { throw ValidationError("a day is written as 2026-11-21") }
    return .with {
      ($0.year, $0.month, $0.day) = (Int32(day.year), Int32(day.month), Int32(day.day))
    }
  }

  static func instant(_ text: String) throws -> Timestamp {
    guard let date = try? Foundation.Date(text, strategy: .iso8601) else {
      throw ValidationError("a time is written as 2027-12-31T00:00:00Z (RFC 3339)")
    }
    return Timestamp(microseconds: date.microseconds)
  }

  /// Reads a contract name, `CLERK` for `STAFF_ROLE_CLERK`.
  static func contract<Value: Enumeration>(_ text: String) throws -> Value {
    let value = enumValue(text, of: Value.self)
    guard value.rawValue > 0 else {
      let names = contractNames(of: Value.self)
      let meant = Spelling.nearest(to: text, among: names).map { "; did you mean \($0)?" } ?? ""
      throw ValidationError("one of \(names.joined(separator: ", "))\(meant)")
    }
    return value
  }

  /// Refuses a file that could not be written, before anything is done that it is to hold.
  static func requireWritable(_ path: String) throws {
    let file = URL(filePath: path)
    let folder = file.deletingLastPathComponent().path
    guard FileManager.default.isWritableFile(atPath: folder), !file.hasDirectoryPath else {
      throw ConfigurationError("\(path): cannot be written; is its folder there?")
    }
  }
}
