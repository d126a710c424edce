import RPC

extension Deadline? {
  /// Runs `body`, which must react to cancellation, until the deadline at most.
  ///
  /// - Throws: ``GatewayFailure/deadlineExceeded``; any error of `body`.
  func bounding<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    guard let self else { return try await body() }
    return try await withThrowingTaskGroup(of: Value?.self) { group in
      group.addTask { try await body() }
      group.addTask {
        // A deadline is real time.
        try await Task.sleep(for: self.remaining)
        return nil
      }
      defer { group.cancelAll() }
      guard let first = try await group.next() ?? nil else {
        throw GatewayFailure.deadlineExceeded
      }
      return first
    }
  }
}
