/// In which order the connections of a loop are read: those that are not busy whenever they have
/// something; of the busy ones as many a round as `LoopShare.roundMax` allows, first come first
/// served. A round is once through all the sockets that are ready.
///
/// Confined to its loop.
struct ReadingTurns {
  private var waiting: [Connection] = []
  /// Estimated loop time of the turns granted to busy connections and not taken yet, in
  /// nanoseconds.
  private var promised: UInt64 = 0

  var isEmpty: Bool { waiting.isEmpty }

  /// Whether a connection may be read when it has something; otherwise it hears `turnCame`.
  mutating func admit(_ connection: Connection) -> Bool {
    guard connection.share.isBusy else { return true }
    guard promised > 0, promised + connection.share.turn > LoopShare.roundMax else {
      promise(connection)
      return true
    }
    waiting.append(connection)
    return false
  }

  /// The connection takes its turn, or needs none any more.
  mutating func redeem(_ connection: Connection) {
    promised -= connection.promisedTurn
    connection.promisedTurn = 0
  }

  /// A round is over: those whose turn is next. At least one, since who has been promised a turn
  /// may have nothing to say.
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
