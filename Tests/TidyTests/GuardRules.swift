/// Promises that the compiler cannot check must name the guard that keeps them.
enum GuardRules {
  private static let promises = ["@unchecked Sendable", "nonisolated(unsafe)"]
  /// Words that name a guard; one of them is required.
  private static let guards = [
    "actor", "atomic", "confined", "event loop", "executor", "guard", "immutable", "lock", "loop",
    "mutex", "never", "only", "owner", "owned", "queue", "serial", "thread",
  ]

  static func violations(_ repository: Repository) -> [Violation] {
    repository.swift.flatMap { file -> [Violation] in
      guard let swift = file.swift else { return [] }
      return promises.flatMap { promise in
        swift.code.occurrences(of: promise).map { swift.code.line(at: $0) }
          .filter { number in
            let comment = Nearby.comment(swift, line: number)
            return !guards.contains { comment.contains($0) }
          }
          .map {
            Violation(
              path: file.path, line: $0, finding: "\(promise) without its guard",
              remedy: "name the guard (lock, loop, queue, thread, …) in a comment on the line or"
                + " within \(Nearby.linesAbove) lines above, or make the type Sendable by"
                + " construction")
          }
      }
    }
  }
}
