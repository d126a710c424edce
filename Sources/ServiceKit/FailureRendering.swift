import GoogleProtobuf
import GoogleRPC
import Protobuf
public import RPC
import Storage

/// A failure as a record of a stream shows it, or as a status carries it.
public struct RenderedFailure: Sendable, Hashable {
  /// The status code of the answer.
  public var code: RPCError.Code
  /// Machine-readable, unique within the service's domain; the code's name for errors of libraries.
  public var reason: String
  /// In the caller's language.
  public var message: String
  /// The wrong fields, under the names that the caller uses for them.
  public var fieldFailures: [FieldFailure]
}

/// What a caller is told of `error`. Text of libraries never gets out: what is none of our failures
/// is INTERNAL, reason INTERNAL.
public func render(
  _ error: any Error, in language: Language, _ fieldNames: FieldNames = .contract
) -> RenderedFailure {
  if let failure = asServiceFailure(error, fieldNames) {
    return RenderedFailure(
      code: failure.code, reason: failure.reason, message: failure.text.text(in: language),
      fieldFailures: failure.fieldFailures)
  }
  if let error = error as? RPCError {
    return RenderedFailure(
      code: error.code, reason: error.code.name, message: error.message, fieldFailures: [])
  }
  return RenderedFailure(
    code: .internalError, reason: "INTERNAL", message: internalText.text(in: language),
    fieldFailures: [])
}

/// The failure as a status with its details (AIP-193).
///
/// What does not fit into a status is left out: of the text its end, of the wrong fields the last
/// ones, which `fields_omitted` in the metadata of `ErrorInfo` counts.
func status(of failure: any ServiceFailure, domain: String, language: Language) -> RPCError {
  let message = failure.text.text(in: language)
  let violations = failure.fieldFailures.map { violation(of: $0, in: language) }
  do {
    let details = StatusDetails(
      failure: failure, domain: domain, language: language, message: message, text: message)
    var bytes = try details.bytes(with: violations)
    if bytes.count > StatusFields.detailsBytesMax {
      let short = StatusDetails(
        failure: failure, domain: domain, language: language,
        message: cut(message, to: 256), text: cut(message, to: 1_024))
      // Tags and lengths of the omitted count and of each violation take less than these.
      var room = try StatusFields.detailsBytesMax - 64 - short.bytes(with: []).count
      let named = try violations.prefix { violation in
        room -= try violation.wireBytes().count + 4
        return room >= 0
      }
      bytes = try short.bytes(with: Array(named))
    }
    return RPCError(failure.code, message, details: bytes)
  } catch {
    // The details are for help; the code and the message stand without them.
    return RPCError(failure.code, message)
  }
}

/// The details of a failure's status.
private struct StatusDetails {
  let failure: any ServiceFailure
  let domain: String
  let language: Language
  /// The status's own copy of its message.
  let message: String
  /// What people read.
  let text: String

  /// Returns a serialized status with these of the failure's violations.
  func bytes(with violations: [BadRequest.FieldViolation]) throws -> [UInt8] {
    var info = ErrorInfo()
    info.reason = failure.reason
    info.domain = domain
    info.metadata = failure.metadata
    let omitted = failure.fieldFailures.count - violations.count
    if omitted > 0 { info.metadata["fields_omitted"] = "\(omitted)" }
    var localized = LocalizedMessage()
    localized.locale = language.tag
    localized.message = text
    var status = GoogleRPC.Status()
    status.code = Int32(failure.code.rawValue)
    status.message = message
    status.details = [try AnyMessage(packing: info), try AnyMessage(packing: localized)]
    if !violations.isEmpty {
      var request = BadRequest()
      request.fieldViolations = violations
      status.details.append(try AnyMessage(packing: request))
    }
    if let delay = failure.retryAfter {
      var retry = RetryInfo()
      retry.retryDelay = protobufDuration(delay)
      status.details.append(try AnyMessage(packing: retry))
    }
    return try status.wireBytes()
  }
}

/// Returns the text, or its beginning of at most that many bytes and an ellipsis.
private func cut(_ text: String, to bytesMax: Int) -> String {
  guard text.utf8.count > bytesMax else { return text }
  var room = bytesMax
  let kept = text.unicodeScalars.prefix { scalar in
    room -= scalar.utf8.count
    return room >= 0
  }
  return String(kept) + "…"
}

extension ServerContext {
  /// Declares that this call is a feed or a watch, which has no end of its own: when the server
  /// drains, the caller gets ``CommonFailure/shuttingDown`` at once, with the delay after which to
  /// resume.
  /// - Parameter domain: For `ErrorInfo.domain`, for example `members.yijia`.
  /// - Throws: That status if the server is draining already.
  public func endFeedWhenDraining(domain: String) throws(RPCError) {
    try endWhenDraining(
      with: status(of: CommonFailure.shuttingDown, domain: domain, language: language))
  }
}

let internalText = LocalizedText(
  zh: "系统内部错误，已记录。请稍后重试，如持续出现请联系管理员。",
  en: "Internal error, recorded. Retry later; if it stays, tell the administrator.")

/// `error` as a failure for people, where it is one: a storage error becomes the common failure of
/// the same meaning, a lone field failure an invalid field.
func asServiceFailure(
  _ error: any Error, _ fieldNames: FieldNames
) -> (any ServiceFailure)? {
  switch error {
  case CommonFailure.invalidFields(let fields):
    CommonFailure.invalidFields(fields.map(fieldNames.renamed))
  case let failure as any ServiceFailure: failure
  case let field as FieldFailure: CommonFailure.invalidFields([fieldNames.renamed(field)])
  case let error as StorageError: commonFailure(of: error)
  default: nil
  }
}

private func commonFailure(of error: StorageError) -> CommonFailure? {
  switch error {
  case .busy, .contention: .storageBusy
  case .full, .io, .closed, .unreachable, .forbidden, .indeterminate, .outdatedKey:
    .storageUnavailable
  case .requestIDReused: .requestIDReused
  case .invalidPageToken: .invalidPageToken
  case .foreignCursor, .expiredCursor: .invalidCursor
  default: nil
  }
}

private func violation(of failure: FieldFailure, in language: Language) -> BadRequest.FieldViolation
{
  var violation = BadRequest.FieldViolation()
  violation.field = failure.field
  violation.reason = failure.reason
  violation.description_ = failure.text.text(in: language)
  return violation
}

private func protobufDuration(_ duration: Swift.Duration) -> GoogleProtobuf.Duration {
  var result = GoogleProtobuf.Duration()
  result.seconds = duration.components.seconds
  result.nanos = Int32(duration.components.attoseconds / 1_000_000_000)
  return result
}
