/// The order in which the connections of a loop are read: those that are not busy, whenever they
/// have data; of the busy ones, as many per round as `LoopShare.roundMax` allows, first come first
/// served. A round is one pass over all ready sockets.
///
/// Confined to its loop.
struct ReadingTurns {
  private var waiting: [Connection] = []
  /// Estimated loop time of the turns granted to busy connections and not taken yet, in
  /// nanoseconds.
  private var promised: UInt64 = 0

  var isEmpty: Bool { waiting.isEmpty }

  /// Returns whether a connection may be read at once; if not, its `turnCame()` is called later.
  mutating func admit(_ connection: Connection) -> Bool {
    guard connection.share.isBusy else { return true }
    guard promised > 0, promised + connection.share.turn > LoopShare.roundMax else {
      promise(connection)
      return true
    }
    waiting.append(connection)
    return false
  }

  /// Releases the time granted to a connection that takes its turn, or no longer needs it.
  mutating func redeem(_ connection: Connection) {
    promised -= connection.promisedTurn
    connection.promisedTurn = 0
  }

  /// Returns the connections whose turn is in the next round: at least one, since a connection with
  /// a granted turn may have no data.
  mutating func next() -> ArraySlice<Connection> {
    var count = 0
    while count < waiting.count, count == 0 || promised < LoopShare.roundMax {
      promise(waiting[count])
      count += 1
    }
    defer { waiting.removeFirst(count) }
    return waiting[..<count]
  }

  private mutating func promise(_ connection: Connection) {
    redeem(connection)
    guard !connection.isClosed else { return }
    connection.promisedTurn = connection.share.turn
    promised += connection.promisedTurn
  }
}
