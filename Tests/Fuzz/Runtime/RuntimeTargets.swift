public import FuzzCore

extension FuzzTarget {
  /// The targets of the runtime, in the order of the report.
  public static let runtime: [FuzzTarget] = [
    .wire, .wireLimits, .json, .http2Server, .http2Client, .metadata, .timeout, .percent, .base64,
    .framing, .inflate,
  ]
}
