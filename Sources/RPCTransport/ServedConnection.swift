/// A connection as its server keeps it, whatever version of HTTP it uses.
protocol ServedConnection: AnyObject, Sendable {
  var executor: LoopExecutor { get }
  /// The number of calls that have not ended. Call on its loop.
  var runningCalls: Int { get }
  /// Claims an idle connection for `makeRoom`; succeeds once. Safe to call from any thread.
  func isTakenWhenIdle() -> Bool
  /// Closes the connection in favor of another one, unless a call has begun in the meantime. Call
  /// on its loop.
  func makeRoom()
  /// Closes the connection if all it does is to wait for requests. Call on its loop.
  func giveWay()
  /// Accepts nothing new, lets running calls end, then closes. Call on its loop.
  func drain()
  /// Closes the connection at once. Idempotent. Call on its loop.
  func close(_ reason: String)
}

extension Connection: ServedConnection {
  var runningCalls: Int { exchanges.lazy.compactMap { $0 }.count }
}
