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
    else {
      throw ValidationError(
        Terminal.text(zh: "日期应写作 2026-11-21", en: "a day is written as 2026-11-21"))
    }
    return .with {
      ($0.year, $0.month, $0.day) = (Int32(day.year), Int32(day.month), Int32(day.day))
    }
  }

  static func instant(_ text: String) throws -> Timestamp {
    guard let date = try? Foundation.Date(text, strategy: .iso8601) else {
      throw ValidationError(
        Terminal.text(
          zh: "时间应写作 2027-12-31T00:00:00+08:00（RFC 3339）",
          en: "a time is written as 2027-12-31T00:00:00Z (RFC 3339)"))
    }
    return Timestamp(microseconds: date.microseconds)
  }

  /// Reads a contract name, `CLERK` for `STAFF_ROLE_CLERK`.
  static func contract<Value: Enumeration>(_ text: String) throws -> Value {
    let value = enumValue(text, of: Value.self)
    guard value.rawValue > 0 else {
      let names = contractNames(of: Value.self)
      let list = names.joined(separator: ", ")
      let meant = Spelling.nearest(to: text, among: names).map {
        Terminal.text(zh: "；是否应为 \($0)？", en: "; did you mean \($0)?")
      }
      throw ValidationError(
        Terminal.text(zh: "应为其中之一：\(list)\(meant ?? "")", en: "one of \(list)\(meant ?? "")"))
    }
    return value
  }

  /// Refuses a file that could not be written, before anything is done that it is to hold, and what
  /// is there and is not a file: a folder or a device must not be replaced.
  static func requireWritable(_ path: String) throws {
    let file = URL(filePath: path)
    let folder = file.deletingLastPathComponent().path
    guard FileManager.default.isWritableFile(atPath: folder), !file.hasDirectoryPath else {
      throw ConfigurationError(
        zh: "\(path)：无法写入；它所在的文件夹存在吗？",
        en: "\(path): cannot be written; is its folder there?")
    }
    guard status(of: path).map({ $0.st_mode & S_IFMT == S_IFREG }) ?? true else {
      throw ConfigurationError(
        zh: "\(path)：已经存在，但不是文件；请换一个名称",
        en: "\(path): is there and is not a file; choose another name")
    }
  }

  /// Whether two paths lead to the same file.
  static func isSame(_ one: String, _ other: String) -> Bool {
    guard let one = status(of: one), let other = status(of: other) else { return false }
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino
  }

  /// Returns what the system knows of what a path leads to; nil where there is nothing.
  private static func status(of path: String) -> stat? {
    var status = stat()
    return stat(path, &status) == 0 ? status : nil
  }
}
