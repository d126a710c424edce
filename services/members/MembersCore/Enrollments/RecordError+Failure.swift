import MembersV1
import RPC
import ServiceKit

extension RecordError {
  /// Creates the result of a refused record; `nil` if the error must end the stream: cancellation,
  /// a lost connection, or an internal error, which is logged at the end of the call.
  init?(_ error: any Error, in language: Language, _ fieldNames: FieldNames) {
    if error is CancellationError || error is RPCError { return nil }
    let failure = render(error, in: language, fieldNames)
    if failure.code == .internalError { return nil }
    self.init()
    code = Int32(failure.code.rawValue)
    reason = failure.reason
    message = failure.message
    fieldViolations = failure.fieldFailures.map { wrong in
      var violation = MembersV1.FieldViolation()
      violation.field = wrong.field
      violation.reason = wrong.reason
      violation.description_ = wrong.text.text(in: language)
      return violation
    }
  }
}
