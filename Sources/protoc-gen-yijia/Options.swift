/// The options of `--yijia_opt`: `drop=yijia,module=yijia.type.v1:YijiaTypeV1`, separated by
/// commas.
struct Options {
  /// The first components of package names that module names omit.
  private var dropped: Set<String> = []
  /// The modules of packages whose names do not follow the rule.
  private var modules: [String: String] = [:]

  init(_ parameter: String) throws {
    for part in parameter.split(separator: ",") {
      let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
      guard pair.count == 2 else { throw GeneratorError("option without a value: \(part)") }
      switch pair[0] {
      case "drop": dropped.insert(pair[1])
      case "module":
        let ends = pair[1].split(separator: ":").map(String.init)
        guard ends.count == 2 else { throw GeneratorError("module=PACKAGE:MODULE, not \(part)") }
        modules[ends[0]] = ends[1]
      default: throw GeneratorError("unknown option: \(part)")
      }
    }
  }

  /// Returns whether a package is one of the project's own: whether `drop` names its first
  /// component.
  func isOwn(_ package: String) -> Bool {
    package.split(separator: ".").first.map { dropped.contains(String($0)) } ?? false
  }

  /// Returns the Swift module of a proto package: `bench.v1` is `BenchV1`.
  func module(of package: String) -> String {
    if let module = modules[package] { return module }
    var parts = package.split(separator: ".").map(String.init)
    if parts.count > 1, dropped.contains(parts[0]) { parts.removeFirst() }
    return parts.map { Options.acronyms[$0] ?? Names.upperCamel($0) }.joined()
  }

  private static let acronyms = ["api": "API", "grpc": "GRPC", "rpc": "RPC"]
}

/// The error of a failed generation, which protoc prints.
struct GeneratorError: Error {
  let message: String

  init(_ message: String) { self.message = message }
}
