import Foundation
import Testing

/// The checkout under test, located from the path of this file.
struct Repository: Sendable {
  let root: URL
  /// Every text file that a person or the generator wrote, sorted by path.
  let files: [SourceFile]

  static let here = Repository(
    root: URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent())

  /// Data files may be larger than anything written by hand; rules do not read them.
  private static let bytesMax = 2 << 20
  private static let textExtensions: Set = [
    "c", "cfg", "css", "h", "html", "js", "json", "md", "modulemap", "proto", "py", "sh", "sql",
    "swift", "toml", "txt", "yaml", "yml",
  ]
  private static let textNames: Set = ["Makefile", "Dockerfile", "run", "LICENSE", "NOTICE"]

  init(root: URL) {
    self.root = root
    var found: [SourceFile] = []
    // A manual depth-first search, as an enumerator cannot skip the build folders cheaply.
    var folders = [""]
    while let folder = folders.popLast() {
      let place = folder.isEmpty ? root : root.appendingPathComponent(folder)
      let entries = (try? FileManager.default.contentsOfDirectory(atPath: place.path)) ?? []
      for name in entries.sorted() where !Self.isIgnored(name) {
        let path = folder.isEmpty ? name : "\(folder)/\(name)"
        var isFolder: ObjCBool = false
        let full = root.appendingPathComponent(path).path
        guard FileManager.default.fileExists(atPath: full, isDirectory: &isFolder) else { continue }
        if isFolder.boolValue {
          folders.append(path)
        } else if Self.isText(name), let data = FileManager.default.contents(atPath: full),
          data.count <= Self.bytesMax
        {
          found.append(SourceFile(path: path, text: Text(Array(data))))
        }
      }
    }
    files = found.sorted { $0.path < $1.path }
  }

  init(files: [SourceFile]) {
    root = URL(fileURLWithPath: "/nowhere")
    self.files = files
  }

  var handWritten: [SourceFile] { files.filter { !$0.isGenerated && !$0.isCopy } }
  var swift: [SourceFile] { handWritten.filter { $0.path.hasSuffix(".swift") } }

  func file(_ path: String) -> SourceFile? { files.first { $0.path == path } }

  /// Returns the names of the folders directly under `folder` that contain files.
  func subfolders(of folder: String) -> [String] {
    let names = files.compactMap { file -> String? in
      guard file.path.hasPrefix(folder + "/") else { return nil }
      let parts = file.path.dropFirst(folder.count + 1).split(separator: "/")
      return parts.count > 1 ? String(parts[0]) : nil
    }
    return Set(names).sorted()
  }

  private static func isText(_ name: String) -> Bool {
    textNames.contains(name) || textExtensions.contains((name as NSString).pathExtension)
  }

  private static func isIgnored(_ name: String) -> Bool {
    [".git", ".venv", ".swiftpm", "__pycache__", ".pytest_cache"].contains(name)
      || name.hasPrefix(".build") || name.hasPrefix(".dev")
  }
}

/// One text file of the repository.
struct SourceFile: Sendable {
  /// Path from the root, with "/".
  let path: String
  let text: Text
  /// Code and comments, separated; nil for other than Swift, and for generated code.
  let swift: SwiftText?

  init(path: String, text: Text) {
    self.path = path
    self.text = text
    let scan = path.hasSuffix(".swift") && !Self.isGenerated(path, text)
    swift = scan ? SwiftText(text) : nil
  }

  init(_ path: String, _ contents: String) { self.init(path: path, text: Text(contents)) }

  var isGenerated: Bool { Self.isGenerated(path, text) }

  /// Whether the file is a copy of somebody else's: servers for comparison.
  var isCopy: Bool { path.hasPrefix("bench/peers/") }

  private static func isGenerated(_ path: String, _ text: Text) -> Bool {
    let first = text.line(1).lowercased()
    return path.hasPrefix("Sources/Messages/") || path.hasPrefix("Sources/CMessages/")
      || ["// generated", "// swift-format-ignore-file", "# generated"].contains {
        first.hasPrefix($0)
      }
  }
}

/// A violation of a rule, and its remedy.
struct Violation: Sendable, Hashable, CustomStringConvertible {
  let path: String
  /// Line number from 1; 0 for the whole file or folder.
  let line: Int
  let finding: String
  let remedy: String

  var description: String { "\(path)\(line > 0 ? ":\(line)" : ""): \(finding)" }
}

/// Fails with all violations, grouped by remedy.
func expectNone(
  _ violations: [Violation], sourceLocation: SourceLocation = #_sourceLocation
) {
  guard !violations.isEmpty else { return }
  var lines = ["\(violations.count) to mend:"]
  let byRemedy = Dictionary(grouping: violations, by: \.remedy)
  for (remedy, group) in byRemedy.sorted(by: { $0.value[0].path < $1.value[0].path }) {
    lines += group.map { "  \($0)" } + ["    remedy: \(remedy)"]
  }
  Issue.record("\(lines.joined(separator: "\n"))", sourceLocation: sourceLocation)
}
