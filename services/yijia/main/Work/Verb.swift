import ArgumentParser

/// What a subcommand is called and does; its properties are the options that it has of its own.
protocol Verb: ParsableArguments {
  static var verb: String { get }
  static var abstract: String { get }
  /// What else `--help` says, with an example.
  static var discussion: String { get }
}

extension Verb {
  /// ArgumentParser names commands by their types in the same way.
  static var verb: String { String(describing: Self.self).lowercased() }
  static var discussion: String { "" }

  static var commandConfiguration: CommandConfiguration {
    CommandConfiguration(commandName: verb, abstract: abstract, discussion: discussion)
  }
}

/// Something of the registry, shown on a line.
protocol Shown: Sendable {
  var line: String { get }
}

/// Returns the cells of a line: two spaces apart, `-` for what is not there, so that a cell has the
/// same place in each line.
func columns(_ cells: String...) -> String {
  cells.map { $0.isEmpty ? "-" : $0 }.joined(separator: "  ")
}

/// A kind of things with resource names.
protocol Addressed {
  /// The collection of the names, for example `poolCases`.
  static var collection: String { get }
  /// Returns the resource name of what people write: the name itself, or its last part.
  static func resourceName(of text: String, _ client: SuiteClient) async throws -> String
}

extension Addressed {
  static func resourceName(of text: String, _ client: SuiteClient) async throws -> String {
    text.contains("/") ? text : "\(collection)/\(text)"
  }
}

extension ArgumentHelp {
  /// Of the option `--reason`.
  static var reason: ArgumentHelp { "Why, for the audit log; 4 to 200 characters." }
}
