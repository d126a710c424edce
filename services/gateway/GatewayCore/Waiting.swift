import RPC

extension Deadline? {
  /// Waits no longer than until the deadline, for what can be cancelled.
  ///
  /// - Throws: ``GatewayFailure/deadlineExceeded``; what `body` throws.
  func bounding<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    guard let self else { return try await body() }
    return try await withThrowingTaskGroup(of: Value?.self) { group in
      group.addTask { try await body() }
      group.addTask {
        // Time itself is meant.
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
