/// Names a stream of a session: its HTTP/2 identifier and the place of its record.
///
/// Places are reused, so an owner may index a table by `slot`; the identifier tells a stale key.
public struct StreamKey: Sendable, Hashable {
  /// The identifier on the wire, and the place in the table.
  public let id: Int32
  public let slot: Int32

  public init(id: Int32, slot: Int32) {
    self.id = id
    self.slot = slot
  }
}

/// A received header list: readable with `Session.forEachField(in:_:)` until the next `receive`.
public struct HeaderBlock: Sendable, Hashable {
  let first: Int32
  /// Fields of the list.
  public let count: Int32
  /// Names and values together.
  public let byteCount: Int32
  /// The list was over the limits; `count` fields of it were kept.
  public let isOverLimit: Bool
}

/// What happened on a session, in order. Callbacks append these; the owner takes them.
public enum SessionEvent: Sendable, Hashable {
  /// A request head (server) or a final response head (client).
  case head(StreamKey, HeaderBlock, endsStream: Bool)
  /// Trailers; they always end the peer's side.
  case trailers(StreamKey, HeaderBlock)
  /// Bytes at that place of what was just fed. Return credit with `consume(_:_:)`.
  case data(StreamKey, offset: Int, count: Int)
  /// The peer's side ended with a DATA frame.
  case ended(StreamKey)
  /// The stream is gone, regularly (`noError`) or not; its key is dead.
  case closed(StreamKey, ErrorCode)
  /// The outbound queue fell below the mark after it had been full.
  case writable(StreamKey)
  /// The peer will open or take no further streams above that one.
  case goAway(lastStreamID: Int32, ErrorCode)
  /// The peer's settings have arrived.
  case settings
  /// The peer has acknowledged our settings.
  case settingsAcknowledged
  /// The answer to our PING.
  case pong(UInt64)
}

/// Why a session cannot go on.
public enum SessionError: Error, Sendable, Hashable {
  /// The first bytes were not HTTP/2's preface.
  case badPreface
  /// The peer broke a limit that ends the connection at once.
  case flooded
  /// Memory ran out in the library.
  case outOfMemory
  /// No stream identifier is left, or the session is going away.
  case noStreamAvailable
  /// A request's header list is longer than the library sends.
  case headersTooLong
  /// libnghttp2 refused the call with this code.
  case library(Int32)
  /// The session was closed by its owner.
  case closed
}
