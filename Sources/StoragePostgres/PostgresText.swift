internal import Storage

/// Translates the services' SQL to PostgreSQL's dialect.
enum PostgresText {
  /// Translates `?1` to `$1`.
  ///
  /// - Throws: `StorageError.statement` for `?` without a number and for `$1`, which SQLite
  ///   interprets differently.
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

  /// Translates a query and limits its rows, because results are buffered in memory as a whole.
  static func query(_ sql: String) throws(StorageError) -> (text: String, parameters: Int) {
    let (text, parameters) = try statement(sql)
    let isBounded = SQLText(sql).pieces.contains { piece in
      if case .word(let word) = piece { word.uppercased() == "LIMIT" } else { false }
    }
    if isBounded { return (text, parameters) }
    // The line break ends a trailing comment.
    let end = text.lastIndex { !$0.isWhitespace && $0 != ";" }
    let body = end.map { text[...$0] } ?? ""
    return ("SELECT * FROM (\(body)\n) AS bounded LIMIT \(Limits.rowsPerQuery + 1)", parameters)
  }

  /// Translates a migration: type names are replaced and SQLite's table options removed.
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

  /// Removes `STRICT` and `WITHOUT ROWID` after a table definition, and the commas between them.
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
