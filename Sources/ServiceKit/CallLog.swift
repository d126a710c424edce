public import Logging
public import RPC

/// Writes one line a call that reaches the interceptors, when its handler ends: method, caller, the
/// status that the caller got, duration. Successful calls are logged at `debug`, so that a busy
/// service writes nothing for them by default. Calls that are refused before (an unknown method,
/// a message that is too large) are in the metrics only.
public struct CallLog: ServerInterceptor {
  private let logger: Logger

  /// - Parameter logger: Gets one line a call, with the call's metadata.
  public init(logger: Logger) { self.logger = logger }

  public func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
    let start = ContinuousClock.now
    do {
      try await next()
      log(context, nil, since: start)
    } catch {
      log(context, error, since: start)
      throw error
    }
  }

  private func log(
    _ context: ServerContext, _ error: (any Error)?, since start: ContinuousClock.Instant
  ) {
    let code = context.outcome(of: error)?.code
    logger.log(
      level: code == nil ? .debug : .info, "call", metadata: facts(of: context, code, since: start))
  }

  private func facts(
    of context: ServerContext, _ code: RPCError.Code?, since start: ContinuousClock.Instant
  ) -> Logger.Metadata {
    [
      "method": "\(context.method.path)", "code": "\(code?.name ?? "OK")",
      "caller": "\((try? context.caller)?.subject ?? "-")",
      "duration_us": "\((ContinuousClock.now - start) / .microseconds(1))",
    ]
  }
}
