/// Identifies a stream of a session: its HTTP/2 identifier and the slot of its record.
///
/// Slots are reused, so an owner may index a table by `slot`; the identifier reveals a stale key.
public struct StreamKey: Sendable, Hashable {
  /// The stream identifier on the wire.
  public let id: Int32
  /// The index of the stream's record.
  public let slot: Int32

  /// Creates the key of a stream and its record.
  public init(id: Int32, slot: Int32) {
    self.id = id
    self.slot = slot
  }
}

/// A received header list: readable with `Session.forEachField(in:_:)` until the next `receive`.
public struct HeaderBlock: Sendable, Hashable {
  let first: Int32
  /// The number of fields.
  public let count: Int32
  /// The bytes of all names and values.
  public let byteCount: Int32
  /// Whether the list exceeded the limits; only `count` of its fields were kept.
  public let isOverLimit: Bool
}

/// An event of a session. The callbacks append events in order; the owner takes them.
public enum SessionEvent: Sendable, Hashable {
  /// A request head (server) or a final response head (client).
  case head(StreamKey, HeaderBlock, endsStream: Bool)
  /// Trailers; they always end the peer's side.
  case trailers(StreamKey, HeaderBlock)
  /// Bytes at an offset of the input of `receive`. Return their credit with `consume(_:_:)`.
  case data(StreamKey, offset: Int, count: Int)
  /// The peer ended its side with a DATA frame.
  case ended(StreamKey)
  /// The stream is closed, regularly (`noError`) or not; its key is invalid.
  case closed(StreamKey, ErrorCode)
  /// A request that never left can no longer be sent: the peer accepts no new streams. Its key is
  /// invalid (clients only).
  case unsent(StreamKey)
  /// The outbound queue has fallen below the mark after it was full.
  case writable(StreamKey)
  /// GOAWAY: the peer accepts no streams above this one. Whether its debug data is `too_many_pings`
  /// is told too (gRFC A8).
  case goAway(lastStreamID: Int32, ErrorCode, isAboutPings: Bool)
  /// The peer's settings have arrived.
  case settings
  /// The peer has acknowledged the local settings.
  case settingsAcknowledged
  /// The acknowledgment of a PING.
  case pong(UInt64)
}

/// The error of a session that cannot continue or cannot carry out a call.
public enum SessionError: Error, Sendable, Hashable {
  /// The first bytes were not the HTTP/2 preface.
  case badPreface
  /// The peer exceeded a limit whose violation ends the connection at once.
  case flooded
  /// The library ran out of memory.
  case outOfMemory
  /// No stream identifier is left, or the session is going away.
  case noStreamAvailable
  /// The header list of a request is longer than the library can send.
  case headersTooLong
  /// libnghttp2 failed with this code.
  case library(Int32)
  /// The owner has closed the session.
  case closed
}
