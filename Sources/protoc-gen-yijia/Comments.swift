import GoogleProtobuf

/// The comments of a file, by the path of the commented element.
struct Comments {
  private var byPath: [[Int32]: [String]] = [:]

  init(_ info: SourceCodeInfo) {
    for location in info.location {
      let text =
        location.hasLeadingComments ? location.leadingComments : location.trailingComments
      let lines = Comments.lines(text)
      if !lines.isEmpty { byPath[location.path] = lines }
    }
  }

  /// The comments alone, in the order of their paths.
  var info: SourceCodeInfo {
    var info = SourceCodeInfo()
    info.location = byPath.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { path, lines in
      var location = SourceCodeInfo.Location()
      location.path = path
      location.leadingComments = lines.joined(separator: "\n")
      return location
    }
    return info
  }

  subscript(path: [Int32]) -> [String] { byPath[path] ?? [] }

  /// Returns the lines of a comment, without the space after the comment mark and without blank
  /// lines at the ends.
  private static func lines(_ text: String) -> [String] {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      var line = line.hasPrefix(" ") ? line.dropFirst() : line
      while line.last?.isWhitespace == true { line.removeLast() }
      return String(line)
    }
    while lines.last?.isEmpty == true { lines.removeLast() }
    return Array(lines.drop { $0.isEmpty })
  }
}
