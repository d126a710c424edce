internal import Storage

/// SQL as the services write it, in PostgreSQL's words.
enum PostgresText {
  /// A query or statement with `?1` as `$1`.
  ///
  /// - Throws: `StorageError.statement` for what SQLite would read in another way: `?` without its
  ///   number, and `$1`.
  static func statement(_ sql: String) throws(StorageError) -> (text: String, parameters: Int) {
    var text = ""
    var parameters = 0
    for piece in SQLText(sql).pieces {
      switch piece {
      case .parameter(let number?) where number > 0:
        parameters = max(parameters, number)
        text += "$\(number)"
      case .parameter, .dollar:
        throw .statement(.init("parameters are ?1, ?2 …: \(sql)"))
      case .word(let words), .space(let words), .quoted(let words), .other(let words):
        text += words
      }
    }
    return (text, parameters)
  }

  /// A query as `statement`, and bounded by the server: a result is taken into memory whole.
  static func query(_ sql: String) throws(StorageError) -> (text: String, parameters: Int) {
    let (text, parameters) = try statement(sql)
    let isBounded = SQLText(sql).pieces.contains { piece in
      if case .word(let word) = piece { word.uppercased() == "LIMIT" } else { false }
    }
    if isBounded { return (text, parameters) }
    // The line's end closes a comment that the text may end with.
    let end = text.lastIndex { !$0.isWhitespace && $0 != ";" }
    let body = end.map { text[...$0] } ?? ""
    return ("SELECT * FROM (\(body)\n) AS bounded LIMIT \(Limits.rowsPerQuery + 1)", parameters)
  }

  /// A migration: the types' names, and without SQLite's table options.
  static func schema(_ sql: String) -> String {
    var text = ""
    var pieces = SQLText(sql).pieces[...]
    while let piece = pieces.popFirst() {
      switch piece {
      case .word(let word): text += types[word.uppercased()] ?? String(word)
      case .other(")"):
        text += ")"
        dropOptions(&pieces)
      case .space(let words), .quoted(let words), .other(let words): text += words
      case .parameter, .dollar: text += "?"
      }
    }
    return text
  }

  private static let types = [
    "INTEGER": "bigint", "REAL": "double precision", "BLOB": "bytea", "TEXT": "text",
  ]

  /// Drops `STRICT` and `WITHOUT ROWID`, with the commas between, where they follow a table.
  private static func dropOptions(_ pieces: inout ArraySlice<SQLText.Piece>) {
    var rest = pieces
    while let piece = rest.popFirst() {
      switch piece {
      case .space, .other(","): continue
      case .word(let word) where ["STRICT", "WITHOUT", "ROWID"].contains(word.uppercased()):
        pieces = rest
      default: return
      }
    }
  }
}
