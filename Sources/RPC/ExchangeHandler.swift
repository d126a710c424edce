/// Answers whole HTTP exchanges: raw forwarding in a gateway, pages, JSON, an admin interface.
///
/// Handlers are asked in order before the router, so one may take gRPC exchanges too.
public protocol ExchangeHandler: Sendable {
  /// Returns whether this handler takes the exchange. Called on the connection's loop; must not
  /// block.
  func claims(_ head: RequestHead) -> Bool

  /// Answers the exchange without a task, if possible, and calls ``ServerExchange/ended()`` when it
  /// is done. Called on the connection's loop before any of the body has arrived; must not block.
  /// The default implementation takes nothing.
  /// - Returns: Whether the exchange is taken; if not, ``serve(_:)`` is called.
  func take(_ exchange: ServerExchange) -> Bool

  /// Answers the exchange. Runs in a task on the connection's loop, which is cancelled when the
  /// client resets the exchange or disconnects. An exchange that is not ended on return is ended as
  /// by ``ServerExchange/ended()``.
  func serve(_ exchange: ServerExchange) async
}

extension ExchangeHandler {
  /// Returns false: every exchange is answered in a task.
  public func take(_ exchange: ServerExchange) -> Bool { false }
}
