internal import NIOCore

/// The connections of a server, and which of them gives way to another one at the limit. It knows
/// no clock and calls no loop.
struct OpenConnections {
  /// What becomes of a new connection.
  enum Admission: Sendable {
    case admitted
    /// It was admitted for an idle one, which was claimed and is now to make room.
    case inPlace(of: any ServedConnection)
    /// It was refused. These are to give way, for those to come, if they only wait for requests.
    case refused(asking: [any ServedConnection])
  }

  /// Connections that are asked to give way if none is idle.
  static let askedMax = 16
  /// The time for which new connections are refused at once after none of so many was idle: looking
  /// through all of them for each would take the loops from those that are served.
  static let searchPause: TimeAmount = .milliseconds(20)
  static let searchedMax = 1_000

  /// The most connections that are admitted at once.
  var countMax = Int.max
  private var connections: [ObjectIdentifier: any ServedConnection] = [:]
  /// When an idle connection may be looked for again.
  private var nextSearch = NIODeadline.distantPast

  var count: Int { connections.count }
  var isEmpty: Bool { connections.isEmpty }
  var all: [any ServedConnection] { Array(connections.values) }

  /// Admits a new connection. Over the limit, an idle one is closed for it, any one, so that it is
  /// found soon. If none is idle, the new one is refused.
  mutating func admit(_ connection: any ServedConnection, at now: NIODeadline) -> Admission {
    guard connections.count >= countMax else {
      keep(connection)
      return .admitted
    }
    guard now >= nextSearch else { return .refused(asking: []) }
    if let idle = connections.values.first(where: { $0.isTakenWhenIdle() }) {
      keep(connection)
      return .inPlace(of: idle)
    }
    if connections.count > Self.searchedMax { nextSearch = now + Self.searchPause }
    let first = Int.random(in: 0..<max(1, connections.count))
    return .refused(asking: Array(connections.values.dropFirst(first).prefix(Self.askedMax)))
  }

  /// Keeps a connection whatever the limit: one whose negotiation was admitted.
  mutating func keep(_ connection: any ServedConnection) {
    connections[ObjectIdentifier(connection)] = connection
  }

  mutating func remove(_ connection: any ServedConnection) {
    connections[ObjectIdentifier(connection)] = nil
  }
}
