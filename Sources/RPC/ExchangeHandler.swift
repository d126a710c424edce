/// Answers whole HTTP exchanges: a gateway that forwards them raw, pages, JSON, an admin face.
///
/// Handlers are asked in order before the router, so one may take gRPC exchanges too.
public protocol ExchangeHandler: Sendable {
  /// Whether this handler wants that exchange. Called on the connection's loop; must not block.
  func claims(_ head: RequestHead) -> Bool

  /// Answers it without a task, if it can: then it tells ``ServerExchange/ended()`` when it has.
  /// Called on the connection's loop before any of the body has come; must not block. By default
  /// nothing is answered so.
  /// - Returns: Whether it does; else ``serve(_:)`` is called.
  func take(_ exchange: ServerExchange) -> Bool

  /// Answers it. Runs as a task on the connection's loop, which is cancelled when the client gives
  /// up or goes away. An exchange that is not ended when this returns is reset.
  func serve(_ exchange: ServerExchange) async
}

extension ExchangeHandler {
  /// Takes nothing.
  public func take(_ exchange: ServerExchange) -> Bool { false }
}
