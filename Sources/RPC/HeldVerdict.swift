/// Whether a connection may buffer more bytes of requests.
package enum HeldVerdict: Sendable, Hashable {
  case granted
  /// The connection holds as much as one may.
  case connectionIsFull
  /// The connections of the server hold `bytes` together: as much as they may, or so much that this
  /// one, with `ownBytes` of them, gets no more.
  case serverIsFull(bytes: Int, ownBytes: Int)

  /// The error of the call that needs the memory; nil if it has it.
  package var refusal: RPCError? {
    switch self {
    case .granted: nil
    case .connectionIsFull:
      RPCError(
        .resourceExhausted,
        "the requests of this connection take too much memory: send fewer of them at once")
    case .serverIsFull(let bytes, let ownBytes):
      RPCError(
        .resourceExhausted,
        """
        the server is busy with \(bytes) bytes of requests, \(ownBytes) of them of this \
        connection: retry later
        """)
    }
  }
}
