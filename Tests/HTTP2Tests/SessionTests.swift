import HTTP2
import Testing

@Suite("Sessions, client against server")
struct SessionTests {
  static let ok = StaticFields([":status": "200", "content-type": "application/grpc"])
  static let trailers = StaticFields(["grpc-status": "0"])

  @Test(
    "an exchange succeeds, however the bytes are split", arguments: [1, 2, 3, 7, 100, Int.max])
  func exchange(_ cut: Int) throws {
    let pipe = try Pipe(cut: cut)
    let stream = try pipe.client.submitRequest(Pipe.request(extra: [("x-a", "1"), ("x-b", "2")]))
    _ = pipe.client.submitData(stream, Array("hello".utf8))
    pipe.client.submitEnd(stream, trailers: nil)
    pipe.run()
    #expect(
      pipe.serverSaw.first
        == .head(
          1,
          [
            ":method": "POST", ":scheme": "http", ":authority": "test", ":path": "/a/b",
            "x-a": "1", "x-b": "2",
          ], ends: false))
    #expect(Pipe.data(pipe.serverSaw, 1) == Array("hello".utf8))
    #expect(pipe.serverSaw.contains(.ended(1)))
    let key = try #require(pipe.keys[1])
    pipe.server.submitResponse(key, .fixed(Self.ok), endsStream: false)
    _ = pipe.server.submitData(key, Array("world".utf8))
    pipe.server.submitEnd(key, trailers: .fixed(Self.trailers))
    pipe.run()
    #expect(
      pipe.clientSaw == [
        .head(1, [":status": "200", "content-type": "application/grpc"], ends: false)
      ]
        + pipe.clientSaw.filter { if case .data = $0 { true } else { false } } + [
          .trailers(1, ["grpc-status": "0"]), .closed(1, .noError),
        ])
    #expect(Pipe.data(pipe.clientSaw, 1) == Array("world".utf8))
    #expect(pipe.serverSaw.last == .closed(1, .noError))
    #expect(pipe.server.openStreams == 0 && pipe.client.openStreams == 0)
    #expect(pipe.errors.isEmpty)
  }

  @Test("head, data and trailers are sent in one batch")
  func oneBatch() throws {
    let pipe = try Pipe()
    let stream = try pipe.client.submitRequest(Pipe.request())
    pipe.client.submitEnd(stream, trailers: nil)
    pipe.run()
    let key = try #require(pipe.keys[1])
    pipe.server.submitResponse(key, .fixed(Self.ok), endsStream: false)
    _ = pipe.server.submitData(key, [1, 2, 3])
    pipe.server.submitEnd(key, trailers: .fixed(Self.trailers))
    #expect(frameTypes(pipe.output(of: pipe.server)) == [1, 0, 1])
  }

  @Test("trailers after the data need no empty DATA frame")
  func lateTrailers() throws {
    let pipe = try Pipe()
    let stream = try pipe.client.submitRequest(Pipe.request())
    pipe.client.submitEnd(stream, trailers: nil)
    pipe.run()
    let key = try #require(pipe.keys[1])
    pipe.server.submitResponse(key, .fixed(Self.ok), endsStream: false)
    _ = pipe.server.submitData(key, [1])
    pipe.run()
    pipe.server.submitEnd(key, trailers: .fixed(Self.trailers))
    pipe.run()
    #expect(pipe.clientSaw.suffix(2) == [.trailers(1, ["grpc-status": "0"]), .closed(1, .noError)])
  }

  @Test("a response before the request's end is followed by RST_STREAM(NO_ERROR)")
  func earlyAnswer() throws {
    let pipe = try Pipe()
    _ = try pipe.client.submitRequest(Pipe.request())
    pipe.run()
    let key = try #require(pipe.keys[1])
    pipe.server.submitResponse(key, .fixed(Self.ok), endsStream: false)
    pipe.server.submitEnd(key, trailers: .fixed(Self.trailers))
    let bytes = pipe.output(of: pipe.server)
    #expect(frameTypes(bytes).suffix(2) == [1, 3])
    #expect(Array(bytes.suffix(4)) == [0, 0, 0, 0])
  }

  @Test("a stream gets credit only after its bytes are consumed")
  func flowControl() throws {
    var limits = SessionLimits()
    limits.streamWindowBytes = 10_000
    let pipe = try Pipe(limits: limits)
    pipe.run()
    let stream = try pipe.client.submitRequest(Pipe.request())
    let isFull = pipe.client.submitData(stream, [UInt8](repeating: 7, count: 100_000))
    #expect(isFull)
    pipe.run(consume: false)
    #expect(Pipe.data(pipe.serverSaw, 1).count == 10_000)
    let key = try #require(pipe.keys[1])
    pipe.server.consume(key, 10_000)
    pipe.run(consume: false)
    #expect(Pipe.data(pipe.serverSaw, 1).count == 20_000)
    pipe.server.consume(key, 10_000)
    pipe.run(consume: true)
    #expect(Pipe.data(pipe.serverSaw, 1).count == 100_000)
    #expect(pipe.clientSaw.contains(.writable(1)))
  }

  @Test("a slow stream does not block another")
  func noHeadOfLine() throws {
    var limits = SessionLimits()
    limits.streamWindowBytes = 60_000
    limits.connectionWindowBytes = 65_535
    let pipe = try Pipe(limits: limits)
    pipe.run()
    for _ in 0..<3 {
      let stream = try pipe.client.submitRequest(Pipe.request())
      _ = pipe.client.submitData(stream, [UInt8](repeating: 7, count: 60_000))
    }
    pipe.run(consume: false)
    for id in [1, 3, 5] as [Int32] { #expect(Pipe.data(pipe.serverSaw, id).count == 60_000) }
  }

  @Test("bytes that arrive with the end of their stream return their credit too")
  func creditOfEndedStreams() throws {
    let pipe = try Pipe()
    let bytes = [UInt8](repeating: 7, count: 16_000)
    // More than the connection's window in total, in streams that end in the read that brings them.
    let count = Int(pipe.client.limits.connectionWindowBytes) / bytes.count + 10
    for _ in 0..<count {
      let stream = try pipe.client.submitRequest(Pipe.request())
      pipe.client.submitEnd(stream, trailers: nil)
      pipe.run()
      let key = try #require(pipe.keys[stream.id])
      pipe.server.submitResponse(key, .fixed(Self.ok), endsStream: false)
      _ = pipe.server.submitData(key, bytes)
      pipe.server.submitEnd(key, trailers: .fixed(Self.trailers))
      pipe.run()
      #expect(pipe.clientSaw.last == .closed(stream.id, .noError))
    }
  }

  @Test("too many unread bytes withhold the connection's credit")
  func unreadBound() throws {
    var limits = SessionLimits()
    limits.streamWindowBytes = 60_000
    limits.connectionWindowBytes = 65_535
    limits.unreadBytesMax = 100_000
    let pipe = try Pipe(limits: limits)
    pipe.run()
    for _ in 0..<10 {
      let stream = try pipe.client.submitRequest(Pipe.request())
      _ = pipe.client.submitData(stream, [UInt8](repeating: 7, count: 60_000))
    }
    pipe.run(consume: false)
    let before = [1, 3, 5, 7, 9, 11, 13, 15, 17, 19].reduce(0) {
      $0 + Pipe.data(pipe.serverSaw, $1).count
    }
    #expect(before <= 100_000 + 65_535 + 16_384)
    for id in stride(from: 1 as Int32, to: 20, by: 2) {
      if let key = pipe.keys[id] { pipe.server.consume(key, Pipe.data(pipe.serverSaw, id).count) }
    }
    pipe.run(consume: true)
    for id in stride(from: 1 as Int32, to: 20, by: 2) {
      #expect(Pipe.data(pipe.serverSaw, id).count == 60_000)
    }
  }

  @Test("a reset arrives with its code")
  func reset() throws {
    let pipe = try Pipe()
    let stream = try pipe.client.submitRequest(Pipe.request())
    pipe.run()
    pipe.client.reset(stream, .cancel)
    pipe.run()
    #expect(pipe.serverSaw.last == .closed(1, .cancel))
    #expect(pipe.clientSaw.last == .closed(1, .cancel))
    #expect(!pipe.client.isOpen(stream))
  }

  @Test("a request that was not sent yet is closed when it is reset")
  func resetUnsent() throws {
    var limits = SessionLimits()
    limits.concurrentStreamsMax = 1
    let pipe = try Pipe(limits: limits)
    pipe.run()
    _ = try pipe.client.submitRequest(Pipe.request())
    pipe.run()
    let second = try pipe.client.submitRequest(Pipe.request())
    pipe.run()
    pipe.client.reset(second, .cancel)
    pipe.run()
    #expect(pipe.client.openStreams == 1)
    #expect(pipe.clientSaw.contains(.closed(second.id, .cancel)))
  }

  @Test("streams above GOAWAY's last id are refused, those below continue")
  func goAway() throws {
    let pipe = try Pipe()
    _ = try pipe.client.submitRequest(Pipe.request())
    pipe.run()
    pipe.server.submitShutdownNotice()
    pipe.run()
    #expect(pipe.clientSaw.last == .goAway(Int32.max, .noError))
    pipe.server.submitGoAway()
    let late = try? pipe.client.submitRequest(Pipe.request())
    pipe.run()
    if let late {
      #expect(
        pipe.clientSaw.contains(.closed(late.id, .refusedStream))
          || pipe.clientSaw.contains(.unsent(late.id)))
    }
    let key = try #require(pipe.keys[1])
    pipe.server.submitResponse(key, .fixed(Self.ok), endsStream: false)
    pipe.server.submitEnd(key, trailers: .fixed(Self.trailers))
    pipe.run()
    #expect(pipe.clientSaw.contains(.trailers(1, ["grpc-status": "0"])))
  }

  @Test("a PING is acknowledged with its payload")
  func ping() throws {
    let pipe = try Pipe()
    pipe.client.submitPing(0x0102_0304_0506_0708)
    pipe.run()
    #expect(pipe.clientSaw == [.pong(0x0102_0304_0506_0708)])
  }

  @Test("closing twice is closing once, and nothing works afterwards")
  func close() throws {
    let pipe = try Pipe()
    let stream = try pipe.client.submitRequest(Pipe.request())
    pipe.client.close()
    pipe.client.close()
    #expect(pipe.client.isFinished)
    #expect(throws: SessionError.closed) { try pipe.client.submitRequest(Pipe.request()) }
    #expect(pipe.client.submitData(stream, [1]) == false)
    pipe.client.reset(stream, .cancel)
  }

  /// The types of the frames in a batch. RFC 9113, section 4.1.
  private func frameTypes(_ bytes: [UInt8]) -> [UInt8] {
    var types: [UInt8] = []
    var index = 0
    while index + 9 <= bytes.count {
      let length = Int(bytes[index]) << 16 | Int(bytes[index + 1]) << 8 | Int(bytes[index + 2])
      types.append(bytes[index + 3])
      index += 9 + length
    }
    return types
  }
}
