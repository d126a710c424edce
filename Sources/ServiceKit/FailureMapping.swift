public import Logging
public import RPC

/// Turns a handler's errors into gRPC statuses, in one place. An error that is not a
/// ``ServiceFailure`` is logged with its cause, once; the caller gets INTERNAL without the cause.
public struct FailureMapping: ServerInterceptor {
  private let domain: String
  private let logger: Logger

  /// - Parameter domain: For `ErrorInfo.domain`, for example `members.yijia`.
  public init(domain: String, logger: Logger) {
    self.domain = domain
    self.logger = logger
  }

  public func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
    do {
      try await next()
    } catch let error as RPCError {
      throw error
    } catch let error as CancellationError {
      throw error
    } catch {
      throw failureStatus(error, context: context)
    }
  }

  private func failureStatus(_ error: any Error, context: ServerContext) -> RPCError {
    if let failure = asServiceFailure(error, context.fieldNames) {
      if failure.code == .unavailable {
        logger.warning(
          "refused",
          metadata: ["method": "\(context.method.path)", "cause": "\(String(reflecting: error))"])
      }
      return status(of: failure, domain: domain, language: context.language)
    }
    logger.error(
      "handler failed",
      metadata: ["method": "\(context.method.path)", "cause": "\(String(reflecting: error))"])
    return status(of: InternalFailure(), domain: domain, language: context.language)
  }
}

private struct InternalFailure: ServiceFailure {
  var code: RPCError.Code { .internalError }
  var reason: String { "INTERNAL" }
  var text: LocalizedText { internalText }
}
