// guide: interceptor
import Logging
import RPC

/// Tells of calls that took long.
struct SlowCalls: ServerInterceptor {
  let logger: Logger

  func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
    let start = ContinuousClock.now
    defer {
      let took = ContinuousClock.now - start
      if took > .seconds(1) { logger.warning("\(context.method) took \(took)") }
    }
    try await next()
  }
}
// guide: end
