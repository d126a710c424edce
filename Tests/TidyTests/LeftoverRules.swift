/// Finds leftovers in files: notes to oneself, and paths of the machine on which they were written.
enum LeftoverRules {
  // Assembled from parts, so that this file does not match.
  static let markers = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
  static let machineFolders = ["work", "root", "farm", "home", "Users"].map { "/" + $0 + "/" }

  static func markers(_ repository: Repository) -> [Violation] {
    repository.handWritten.flatMap { file in
      markers.flatMap { marker in
        file.text.occurrences(of: marker).map { offset in
          Violation(
            path: file.path, line: file.text.line(at: offset), finding: "leftover \(marker)",
            remedy: "do it now, or file an issue and delete the note")
        }
      }
    }
  }

  static func machinePaths(_ repository: Repository) -> [Violation] {
    repository.files.filter { !$0.isCopy || $0.path.hasSuffix(".sh") }.flatMap { file in
      machineFolders.flatMap { folder in
        file.text.occurrences(of: folder).filter { startsPath($0, in: file.text) }.map {
          Violation(
            path: file.path, line: file.text.line(at: $0), finding: "a path of one machine",
            remedy: "start from the checkout (scripts/lib.sh has ROOT) or take it from outside")
        }
      }
    }
  }

  /// Whether an absolute path begins here, rather than a part of a longer path or URL.
  private static func startsPath(_ offset: Int, in text: Text) -> Bool {
    guard offset > 0 else { return true }
    let before = text.bytes[offset - 1]
    return !before.isWord && !".}*)/-<>".utf8.contains(before)
  }
}
