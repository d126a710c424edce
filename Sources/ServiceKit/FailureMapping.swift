public import Logging
public import RPC
internal import Storage

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
          "refused", metadata: ["method": "\(method)", "cause": "\(cause(of: error))"])
      }
      return ServiceKit.status(of: failure, domain: domain, language: language)
    }
    logger.error(
      "handler failed",
      metadata: ["method": "\(method)", "cause": "\(cause(of: error))"])
    return ServiceKit.status(of: InternalFailure(), domain: domain, language: language)
  }
}

/// Returns what the log says of an error. What an engine says of its server, disk or file tells an
/// operator what to do; what it says of a statement may hold stored values, and is left out.
private func cause(of error: any Error) -> String {
  let text = String(reflecting: error)
  guard let error = error as? StorageError, let detail = error.debugDetail else { return text }
  if case .statement = error { return text }
  return "\(text): \(detail)"
}

private struct InternalFailure: ServiceFailure {
  var code: RPCError.Code { .internalError }
  var reason: String { "INTERNAL" }
  var text: LocalizedText { internalText }
}
