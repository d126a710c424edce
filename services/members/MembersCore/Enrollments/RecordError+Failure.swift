import MembersV1
import RPC
import ServiceKit

extension RecordError {
  /// The result of a record that was refused; nil where the stream itself must end: its call was
  /// cancelled, the peer went away, or something broke, which is logged where the call ends.
  init?(_ error: any Error, in language: Language) {
    if error is CancellationError || error is RPCError { return nil }
    let failure = render(error, in: language)
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
