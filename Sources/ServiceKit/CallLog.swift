public import Logging
public import RPC

/// Writes one line a call when it ends: method, caller, code, duration. Successful calls are logged
/// at `debug`, so that a busy service writes nothing for them by default.
public struct CallLog: ServerInterceptor {
  private let logger: Logger

  /// - Parameter logger: Gets one line a call, with the call's metadata.
  public init(logger: Logger) { self.logger = logger }

  public func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
    let start = ContinuousClock.now
    do {
      try await next()
      logger.debug("call", metadata: facts(of: context, since: start, code: "OK"))
    } catch {
      let code = (error as? RPCError)?.code.name ?? "CANCELLED"
      logger.info("call", metadata: facts(of: context, since: start, code: code))
      throw error
    }
  }

  private func facts(
    of context: ServerContext, since start: ContinuousClock.Instant, code: String
  ) -> Logger.Metadata {
    [
      "method": "\(context.method.path)", "code": "\(code)",
      "caller": "\((try? context.caller)?.subject ?? "-")",
      "duration_us": "\((ContinuousClock.now - start) / .microseconds(1))",
    ]
  }
}
