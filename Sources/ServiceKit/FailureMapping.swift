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
    } catch let error as CancellationError {
      throw error
    } catch {
      throw status(of: error, method: context.method.path, metadata: context.metadata)
    }
  }

  /// Returns the status of an error, and logs the cause of one that is not a ``ServiceFailure``.
  ///
  /// - Parameters:
  ///   - method: The method's path, for the log.
  ///   - metadata: The request's, which names the caller's language and form of field names.
  public func status(of error: any Error, method: String, metadata: Metadata) -> RPCError {
    if let error = error as? RPCError { return error }
    if error is CancellationError { return RPCError(.cancelled, "the call was cancelled") }
    let language = Language(acceptLanguage: metadata[text: "accept-language"])
    if let failure = asServiceFailure(error, FieldNames(askedIn: metadata)) {
      if failure.code == .unavailable {
        logger.warning(
          "refused", metadata: ["method": "\(method)", "cause": "\(String(reflecting: error))"])
      }
      return ServiceKit.status(of: failure, domain: domain, language: language)
    }
    logger.error(
      "handler failed",
      metadata: ["method": "\(method)", "cause": "\(String(reflecting: error))"])
    return ServiceKit.status(of: InternalFailure(), domain: domain, language: language)
  }
}

private struct InternalFailure: ServiceFailure {
  var code: RPCError.Code { .internalError }
  var reason: String { "INTERNAL" }
  var text: LocalizedText { internalText }
}
