/// A connection as its server keeps it, whichever HTTP it speaks.
protocol ServedConnection: AnyObject, Sendable {
  var executor: LoopExecutor { get }
  /// Takes an idle connection for `makeRoom`, once. From any thread.
  func isTakenWhenIdle() -> Bool
  /// Another connection takes this one's place, unless a call has begun meanwhile. On its loop.
  func makeRoom()
  /// Closes if all it does is to wait for requests. On its loop.
  func giveWay()
  /// Takes nothing new, lets run what runs, then closes. On its loop.
  func drain()
  /// Closes now. Idempotent. On its loop.
  func close(_ reason: String)
}

extension Connection: ServedConnection {}
