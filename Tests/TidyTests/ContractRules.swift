/// Rules of the contracts under proto/yijia: every RPC states its callers and has a comment.
enum ContractRules {
  static let policyOption = "(yijia.type.v1.policy)"

  struct RemoteProcedure: Hashable {
    let name: String
    let line: Int
    let hasPolicy: Bool
    let hasComment: Bool
  }

  static func violations(_ repository: Repository) -> [Violation] {
    contracts(repository).flatMap { file in
      procedures(file).flatMap { procedure -> [Violation] in
        var found: [Violation] = []
        if !procedure.hasPolicy {
          found.append(
            Violation(
              path: file.path, line: procedure.line,
              finding: "rpc \(procedure.name) without a policy",
              remedy: "say who may call it: option \(policyOption) = {…}"))
        }
        if !procedure.hasComment {
          found.append(
            Violation(
              path: file.path, line: procedure.line,
              finding: "rpc \(procedure.name) without a comment",
              remedy: "say its errors by reason, its idempotency, and who may call it"))
        }
        return found
      }
    }
  }

  static func contracts(_ repository: Repository) -> [SourceFile] {
    repository.files.filter { $0.path.hasPrefix("proto/yijia/") && $0.path.hasSuffix(".proto") }
  }

  static func procedures(_ file: SourceFile) -> [RemoteProcedure] {
    // Comments and strings have the same syntax as in Swift.
    let parts = SwiftText(file.text)
    let code = parts.code
    return code.occurrences(of: "rpc", member: false).compactMap { start in
      let line = code.line(at: start)
      let words = code.line(line).split { $0 == " " || $0 == "(" }
      guard words.first == "rpc", words.count > 1 else { return nil }
      return RemoteProcedure(
        name: String(words[1]), line: line,
        hasPolicy: declaration(code, from: start).filter { !$0.isWhitespace }
          .contains("option" + policyOption),
        hasComment: !Nearby.comment(parts, line: line).isEmpty && isComment(parts, line: line - 1))
    }
  }

  private static func isComment(_ parts: SwiftText, line: Int) -> Bool {
    parts.comments.line(line).contains { !$0.isWhitespace }
      && !parts.code.line(line).contains { !$0.isWhitespace }
  }

  /// Returns the text from `rpc` to the semicolon or the closing brace that ends it.
  private static func declaration(_ code: Text, from start: Int) -> String {
    var depth = 0
    var index = start
    while index < code.bytes.count {
      switch code.bytes[index] {
      case UInt8(ascii: "{"): depth += 1
      case UInt8(ascii: "}"):
        depth -= 1
        if depth <= 0 { return String(decoding: code.bytes[start...index], as: UTF8.self) }
      case UInt8(ascii: ";") where depth == 0:
        return String(decoding: code.bytes[start...index], as: UTF8.self)
      default: break
      }
      index += 1
    }
    return String(decoding: code.bytes[start...], as: UTF8.self)
  }
}
