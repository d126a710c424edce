import HTTP2

/// A client's and a server's session connected by two byte pipes, advanced manually.
final class Pipe {
  let client: Session
  let server: Session
  private var now: UInt64 = 0
  /// Bytes fed at once; small values split frames anywhere.
  let cut: Int
  /// Events of the client, with the data it received.
  private(set) var clientSaw: [Seen] = []
  private(set) var serverSaw: [Seen] = []
  private(set) var errors: [SessionError] = []

  enum Seen: Equatable {
    case head(Int32, [String: String], ends: Bool)
    case overLimit(Int32)
    case trailers(Int32, [String: String])
    case data(Int32, [UInt8])
    case ended(Int32)
    case closed(Int32, ErrorCode)
    case unsent(Int32)
    case writable(Int32)
    case goAway(Int32, ErrorCode)
    case pong(UInt64)
  }

  init(limits: SessionLimits = SessionLimits(), cut: Int = .max) throws {
    client = try Session(.client)
    server = try Session(.server, limits: limits)
    self.cut = cut
  }

  deinit {
    client.close()
    server.close()
  }

  /// Lets both sides exchange output until neither has any.
  func run(consume: Bool = true) {
    take(client, [], &clientSaw, consume)
    take(server, [], &serverSaw, consume)
    for _ in 0..<1000 {
      let toServer = output(of: client)
      let toClient = output(of: server)
      if toServer.isEmpty, toClient.isEmpty { return }
      feed(toServer, to: server, &serverSaw, consume)
      feed(toClient, to: client, &clientSaw, consume)
    }
  }

  func output(of session: Session) -> [UInt8] {
    var bytes: [UInt8] = []
    do throws(SessionError) {
      _ = try session.drain(limit: .max) { span in
        span.withUnsafeBytes { bytes.append(contentsOf: $0) }
      }
    } catch {
      errors.append(error)
    }
    return bytes
  }

  /// Feeds raw bytes to the server, as a foreign peer would send them.
  func feedServer(_ bytes: [UInt8]) { feed(bytes, to: server, &serverSaw, true) }

  func advance(seconds: UInt64) { now += seconds * 1_000_000_000 }

  private func feed(_ bytes: [UInt8], to session: Session, _ seen: inout [Seen], _ consume: Bool) {
    var index = 0
    while index < bytes.count {
      let part = Array(bytes[index...].prefix(cut))
      index += part.count
      do throws(SessionError) {
        try session.receive(part.span.bytes, nowNanoseconds: now)
      } catch {
        errors.append(error)
        index = bytes.count
      }
      take(session, part, &seen, consume)
    }
    take(session, [], &seen, consume)
  }

  private func take(_ session: Session, _ part: [UInt8], _ seen: inout [Seen], _ consume: Bool) {
    for event in session.events {
      switch event {
      case .head(let stream, let block, let ends):
        seen.append(
          block.isOverLimit
            ? .overLimit(stream.id) : .head(stream.id, fields(session, block), ends: ends))
        keys[stream.id] = stream
      case .trailers(let stream, let block):
        seen.append(.trailers(stream.id, fields(session, block)))
      case .data(let stream, let offset, let count):
        seen.append(.data(stream.id, Array(part[offset..<offset + count])))
        if consume { session.consume(stream, count) }
      case .ended(let stream): seen.append(.ended(stream.id))
      case .closed(let stream, let code): seen.append(.closed(stream.id, code))
      case .unsent(let stream): seen.append(.unsent(stream.id))
      case .writable(let stream): seen.append(.writable(stream.id))
      case .goAway(let last, let code, _): seen.append(.goAway(last, code))
      case .pong(let number): seen.append(.pong(number))
      case .settings, .settingsAcknowledged: break
      }
    }
    session.removeEvents()
  }

  /// Keys of the streams whose head was received.
  var keys: [Int32: StreamKey] = [:]

  private func fields(_ session: Session, _ block: HeaderBlock) -> [String: String] {
    var all: [String: String] = [:]
    session.forEachField(in: block) { name, value in
      all[text(name)] = text(value)
    }
    return all
  }

  private func text(_ span: RawSpan) -> String {
    span.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
  }

  /// The data received on a stream.
  static func data(_ seen: [Seen], _ id: Int32) -> [UInt8] {
    seen.flatMap { seen -> [UInt8] in
      if case .data(id, let bytes) = seen { return bytes }
      return []
    }
  }

  static func request(_ path: String = "/a/b", extra: [(String, String)] = []) -> HeaderSource {
    var fields = OutboundFields()
    fields.add(":method", "POST")
    fields.add(":scheme", "http")
    fields.add(":authority", "test")
    fields.add(":path", path)
    for (name, value) in extra { fields.add(name, value) }
    return .list(fields)
  }
}
