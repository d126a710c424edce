import RPC
import ServiceKit

/// The response field with the trace id of a call: that of the caller's `traceparent`, or of the
/// span that the gateway created. It names the call in the logs of all services.
enum TraceField {
  static let name = "x-trace-id"

  /// Returns the trace id of the caller's `traceparent`; nil without one, or with several.
  static func id(of head: RequestHead) -> TraceID? {
    head.fields.only("traceparent").flatMap { TraceContext(parent: $0, state: nil) }?.traceID
  }

  /// Adds the field to a response head; without a trace id nothing.
  static func add(_ traceID: TraceID?, to head: inout HeaderList?) {
    if let traceID { head?.add(name, "\(traceID)") }
  }
}
