import Foundation
import Glibc

/// The memory of this process.
public enum ProcessMemory {
  /// Takes the code of the executable and its libraries out of the process. What is needed again
  /// is mapped again when it runs, without a read of the disk: the system caches the files.
  ///
  /// For the end of a start, most of whose code never runs again. Only mappings of code are
  /// released, which are never written.
  public static func releaseCode() {
    guard let maps = try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8) else { return }
    for line in maps.split(separator: "\n") {
      // START-END PERMISSIONS OFFSET DEVICE INODE PATH. Source: proc(5).
      let fields = line.split(separator: " ")
      guard fields.count > 5, fields[1] == "r-xp", fields[5].hasPrefix("/") else { continue }
      let ends = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
      guard ends.count == 2, let start = UnsafeMutableRawPointer(bitPattern: ends[0]) else {
        continue
      }
      madvise(start, Int(ends[1] - ends[0]), MADV_DONTNEED)
    }
  }
}
