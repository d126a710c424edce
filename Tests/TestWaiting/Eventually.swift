/// The error of a condition that did not come true.
public struct NeverTrue: Error, CustomStringConvertible {
  /// Where it was waited for.
  let place: String

  public var description: String { "what was waited for at \(place) never came true" }
}

/// Polls until the condition holds, for changes that cannot be awaited.
/// - Throws: `NeverTrue` after a minute, so that a test fails instead of holding up the others;
///   `CancellationError` if its own time limit ends before; whatever the condition throws.
public func eventually(
  file: String = #fileID, line: Int = #line, _ condition: () async throws -> Bool
) async throws {
  let end = ContinuousClock.now + .seconds(60)
  while try await !condition() {
    guard ContinuousClock.now < end else { throw NeverTrue(place: "\(file):\(line)") }
    // A pause instead of a yield, which would take the time that others need to make it true.
    try await Task.sleep(for: .milliseconds(1))
  }
}
