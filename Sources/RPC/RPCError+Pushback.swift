extension RPCError {
  /// Returns this error with an instruction for clients that would send the call again: to wait
  /// that long before, rounded down to milliseconds, or, if `wait` is nil, not to do it at all.
  ///
  /// It counts for errors before the first response message. Source: gRFC A6, "Pushback".
  public func pushingBack(_ wait: Duration?) -> RPCError {
    let milliseconds = wait.map { min($0.wholeNanoseconds / 1_000_000, UInt64(Int32.max)) }
    var fields = metadata.list
    fields.set(Self.pushbackName, milliseconds.map { "\($0)" } ?? "-1")
    var error = self
    error.metadata = Metadata(wire: fields)
    return error
  }

  static let pushbackName = "grpc-retry-pushback-ms"
}
