import Testing

@testable import HTTP2

@Suite("What becomes of streams that do not go their way")
struct OutcomeTests {
  /// A pipe, and the server's key of a stream that the client has opened.
  private func opened(_ limits: SessionLimits = SessionLimits()) throws -> (Pipe, StreamKey) {
    let pipe = try Pipe(limits: limits)
    pipe.run()
    _ = try pipe.client.submitRequest(Pipe.request())
    pipe.run()
    return (pipe, try #require(pipe.keys[1]))
  }

  private func fields(_ bytes: Int) -> HeaderSource {
    var fields = OutboundFields()
    fields.add("x", String(repeating: "y", count: bytes))
    return .list(fields)
  }

  @Test("a response whose header list cannot be sent is INTERNAL_ERROR, not silence")
  func headersTooLong() throws {
    for hasHead in [false, true] {
      let (pipe, stream) = try opened()
      if hasHead {
        pipe.server.submitResponse(stream, .fixed(SessionTests.ok), endsStream: false)
        pipe.server.submitEnd(stream, trailers: fields(70_000))
      } else {
        pipe.server.submitResponse(stream, fields(70_000), endsStream: true)
      }
      pipe.run()
      #expect(pipe.clientSaw.last == .closed(1, .internalError))
      #expect(pipe.server.openStreams == 0)
    }
  }

  @Test("a request whose header list cannot be sent opens no stream")
  func requestTooLong() throws {
    let pipe = try Pipe()
    #expect(throws: SessionError.headersTooLong) {
      _ = try pipe.client.submitRequest(fields(70_000))
    }
    #expect(pipe.client.openStreams == 0)
    _ = try pipe.client.submitRequest(
      Pipe.request(extra: [("x", String(repeating: "y", count: 60_000))]))
    pipe.run()
    #expect(pipe.serverSaw.contains(.overLimit(1)))
  }

  @Test("requests cancelled while they wait count until the library has released them")
  func cancelledRequests() throws {
    var limits = SessionLimits()
    limits.concurrentStreamsMax = 1
    let (pipe, stream) = try opened(limits)
    for _ in 0..<10 {
      let waiting = try pipe.client.submitRequest(Pipe.request())
      pipe.run()
      pipe.client.reset(waiting, .cancel)
      pipe.run()
    }
    #expect(pipe.client.openStreams == 1)
    #expect(pipe.client.cancelledRequests == 10)
    pipe.server.reset(stream, .cancel)
    pipe.run()
    #expect(pipe.client.cancelledRequests == 0)
  }

  @Test("streams above the last GOAWAY are ignored, and the connection continues")
  func aboveGoAway() throws {
    let (pipe, stream) = try opened()
    pipe.server.submitGoAway()
    _ = pipe.output(of: pipe.server)
    let head: [UInt8] = [0x82, 0x86, 0x84, 0x41, 1, 0x78]
    for id in [9, 11] as [UInt8] { pipe.feedServer([0, 0, 6, 1, 4, 0, 0, 0, id] + head) }
    for id in [9, 11, 9] as [UInt8] { pipe.feedServer([0, 0, 2, 0, 0, 0, 0, 0, id, 1, 2]) }
    pipe.feedServer([0, 0, 6, 1, 5, 0, 0, 0, 9] + head)
    pipe.feedServer([0, 0, 4, 3, 0, 0, 0, 0, 11, 0, 0, 0, 8])
    #expect(pipe.errors.isEmpty)
    // The stream below it is answered as usual.
    pipe.server.submitResponse(stream, .fixed(SessionTests.ok), endsStream: true)
    pipe.run()
    #expect(
      pipe.clientSaw == [
        .head(1, [":status": "200", "content-type": "application/grpc"], ends: true)
      ] + pipe.clientSaw.dropFirst())
    #expect(!pipe.clientSaw.contains { if case .goAway = $0 { true } else { false } })
  }

  @Test(
    "resets for the server's own reasons do not count as provoked by the peer",
    arguments: [true, false])
  func provoked(_ isOurs: Bool) throws {
    var limits = SessionLimits()
    limits.resetsProvoked = .init(burst: 10, perSecond: 1)
    let pipe = try Pipe(limits: limits)
    pipe.run()
    for _ in 0..<20 {
      guard let stream = try? pipe.client.submitRequest(Pipe.request()) else { break }
      pipe.run()
      guard let key = pipe.keys[stream.id] else { break }
      pipe.server.reset(key, isOurs ? .refusedStream : .protocolError)
      pipe.run()
    }
    let isOver = pipe.clientSaw.contains { if case .goAway = $0 { true } else { false } }
    #expect(isOver != isOurs)
  }

  @Test("unread data of a stream that is ended locally returns its flow-control credit")
  func creditOfResetStreams() throws {
    var limits = SessionLimits()
    limits.streamWindowBytes = 60_000
    limits.connectionWindowBytes = 65_535
    limits.unreadBytesMax = 50_000
    let pipe = try Pipe(limits: limits)
    pipe.run()
    for _ in 0..<2 {
      let stream = try pipe.client.submitRequest(Pipe.request())
      _ = pipe.client.submitData(stream, [UInt8](repeating: 7, count: 60_000))
      pipe.run(consume: false)
    }
    #expect(Pipe.data(pipe.serverSaw, 3).count < 60_000)
    pipe.server.reset(try #require(pipe.keys[1]), .cancel)
    pipe.run(consume: false)
    #expect(Pipe.data(pipe.serverSaw, 3).count == 60_000)
  }

  @Test("a split field block counts as one incomplete head, a second one as another")
  func awaitedFrames() throws {
    let (pipe, _) = try opened()
    let server = pipe.server
    func feed(_ bytes: [UInt8]) -> Int? {
      pipe.feedServer(bytes)
      return server.isAwaitingHeaders ? server.awaitedFrame : nil
    }
    let first = feed([0, 0, 1])
    #expect(first != nil)
    // The head is complete, then the frame, then parts of its continuation.
    for part: [UInt8] in [[1, 0, 0, 0, 0, 3], [0x82], [0, 0, 1], [9, 0, 0, 0, 0, 3], [0x86]] {
      #expect(feed(part) == first)
    }
    // The block ends, and the next one begins in the same read.
    let second = feed([0, 0, 1, 9, 4, 0, 0, 0, 3, 0x84] + [0, 0, 6, 1, 4, 0, 0, 0, 5, 0x82])
    #expect(second != nil && second != first)
    #expect(feed([0x86, 0x84, 0x41, 1, 0x78]) == nil)
  }

  @Test("memory for many header lists is released, also while one arrives")
  func arenaRoom() {
    var arena = HeaderArena(listBytesMax: 1 << 20, fieldsMax: 1000)
    func append(_ count: Int) {
      let value = [UInt8](repeating: 7, count: count)
      value.withUnsafeBufferPointer { arena.append(name: $0, value: $0) }
    }
    arena.beginList()
    append(100_000)
    _ = arena.endList()
    arena.beginList()
    append(10)
    arena.forget()
    #expect(arena.roomBytes < 1000)
    append(10)
    let block = arena.endList()
    #expect(block.count == 2 && block.byteCount == 40)
    arena.beginList()
    arena.dropList()
    append(100_000)
    #expect(arena.endList().count == 0)
    #expect(arena.roomBytes < 1000)
  }
}
