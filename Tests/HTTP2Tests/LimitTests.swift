import Testing

@testable import HTTP2

@Suite("Limits")
struct LimitTests {
  private let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  private func frame(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = [])
    -> [UInt8]
  {
    [
      UInt8(payload.count >> 16), UInt8(payload.count >> 8 & 255), UInt8(payload.count & 255), type,
      flags, UInt8(stream >> 24), UInt8(stream >> 16 & 255), UInt8(stream >> 8 & 255),
      UInt8(stream & 255),
    ] + payload
  }

  /// The code of the GOAWAY in a server's output, if there is one.
  private func goAway(_ pipe: Pipe) -> UInt32? {
    let bytes = pipe.output(of: pipe.server)
    var index = 0
    while index + 9 <= bytes.count {
      let length = Int(bytes[index]) << 16 | Int(bytes[index + 1]) << 8 | Int(bytes[index + 2])
      if bytes[index + 3] == 7 {
        return bytes[index + 13..<index + 17].reduce(0) { $0 << 8 | UInt32($1) }
      }
      index += 9 + length
    }
    return nil
  }

  @Test("input that is not HTTP/2 is refused at its first bytes")
  func notHTTP2() throws {
    let pipe = try Pipe()
    pipe.feedServer(Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
    #expect(pipe.errors == [.badPreface])
  }

  @Test(
    "input that is not HTTP/2 is a protocol error, whatever its bytes say as frames",
    arguments: [1, 7, .max])
  func notFrames(cut: Int) throws {
    let pipe = try Pipe(cut: cut)
    pipe.feedServer(Array("POST /a/b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".utf8))
    #expect(pipe.errors == [.badPreface])
    #expect(goAway(pipe) == 1)
  }

  @Test(
    "every entry of SETTINGS is judged, also one that a later entry replaces",
    arguments: [1, 4, .max])
  func replacedSettings(cut: Int) throws {
    let cases: [(wrong: [UInt8], right: [UInt8], code: UInt32?)] = [
      ([0, 2, 0, 0, 0, 2], [0, 2, 0, 0, 0, 0], 1),
      ([0, 4, 0x80, 0, 0, 0], [0, 4, 0, 0, 0xff, 0xff], 3),
      ([0, 5, 0, 0, 0x3f, 0xff], [0, 5, 0, 0, 0x40, 0], 1),
      ([0, 5, 1, 0, 0, 0], [0, 5, 0, 0xff, 0xff, 0xff], 1),
      ([0, 8, 0, 0, 0, 2], [0, 8, 0, 0, 0, 1], 1),
      ([0, 9, 0, 0, 0, 2], [0, 9, 0, 0, 0, 1], 1),
      ([0, 7, 0xff, 0xff, 0xff, 0xff], [0, 2, 0, 0, 0, 1], nil),
    ]
    for (wrong, right, code) in cases {
      let pipe = try Pipe(cut: cut)
      pipe.feedServer(preface + frame(4, right) + frame(4, right + wrong + right))
      #expect(goAway(pipe) == code, "\(wrong)")
    }
  }

  @Test("header lists are summed; over the limit they are truncated and marked")
  func headerList() throws {
    var limits = SessionLimits()
    limits.headerListBytesMax = 1000
    limits.headerFieldsMax = 10
    let pipe = try Pipe(limits: limits)
    pipe.run()
    _ = try pipe.client.submitRequest(
      Pipe.request(extra: [("x", String(repeating: "y", count: 1000))]))
    _ = try pipe.client.submitRequest(Pipe.request(extra: (0..<7).map { ("x\($0)", "") }))
    _ = try pipe.client.submitRequest(Pipe.request(extra: [("x", "y")]))
    pipe.run()
    #expect(pipe.serverSaw.contains(.overLimit(1)))
    #expect(pipe.serverSaw.contains(.overLimit(3)))
    #expect(!pipe.serverSaw.contains(.overLimit(5)))
  }

  @Test("too many empty DATA frames end the connection")
  func emptyData() throws {
    var limits = SessionLimits()
    limits.emptyDataFrames = .init(burst: 10, perSecond: 1)
    let pipe = try Pipe(limits: limits)
    _ = try pipe.client.submitRequest(Pipe.request())
    pipe.run()
    for _ in 0..<10 { pipe.feedServer(frame(0, stream: 1)) }
    #expect(goAway(pipe) == nil)
    pipe.feedServer(frame(0, stream: 1))
    #expect(goAway(pipe) == ErrorCode.enhanceYourCalm.rawValue)
  }

  @Test("too many resets end the connection")
  func rapidReset() throws {
    var limits = SessionLimits()
    limits.resetsReceived = .init(burst: 10, perSecond: 1)
    let pipe = try Pipe(limits: limits)
    pipe.run()
    for _ in 0..<20 {
      let stream = try? pipe.client.submitRequest(Pipe.request())
      pipe.run()
      if let stream { pipe.client.reset(stream, .cancel) }
      pipe.run()
    }
    let codes = pipe.clientSaw.compactMap { seen -> ErrorCode? in
      if case .goAway(_, let code) = seen { return code }
      return nil
    }
    #expect(!codes.isEmpty)
  }

  @Test("PING floods end the connection", arguments: [UInt8(6), 4])
  func controlFlood(_ type: UInt8) throws {
    var limits = SessionLimits()
    limits.controlFrames = .init(burst: 50, perSecond: 1)
    let pipe = try Pipe(limits: limits)
    pipe.feedServer(preface + frame(4))
    let payload = [UInt8](repeating: 0, count: type == 6 ? 8 : 0)
    for _ in 0..<200 { pipe.feedServer(frame(type, payload)) }
    #expect(goAway(pipe) != nil || pipe.errors.contains(.flooded))
  }

  @Test("a peer may ping once for each frame that brings it data, on either side")
  func measuringPings() throws {
    var limits = SessionLimits()
    limits.controlFrames = .init(burst: 50, perSecond: 1)
    let pipe = try Pipe(limits: limits)
    let stream = try pipe.client.submitRequest(Pipe.request())
    pipe.run()
    let key = try #require(pipe.keys[1])
    pipe.server.submitResponse(key, .fixed(SessionTests.ok), endsStream: false)
    let count = Int(SessionLimits().controlFrames.burst) + 100
    for _ in 0..<count {
      _ = pipe.client.submitData(stream, [1])
      _ = pipe.server.submitData(key, [1])
      pipe.run()
      pipe.client.submitPing(1)
      pipe.server.submitPing(1)
      pipe.run()
    }
    #expect(pipe.errors.isEmpty)
    #expect(pipe.clientSaw.filter { $0 == .pong(1) }.count == count)
    #expect(pipe.serverSaw.filter { $0 == .pong(1) }.count == count)
    for _ in 0..<4 { pipe.client.submitPing(2) }
    pipe.run()
    #expect(pipe.clientSaw.contains(.goAway(1, .enhanceYourCalm)))
  }

  @Test("responses that nobody reads end the connection")
  func unfetchedAnswers() throws {
    let pipe = try Pipe()
    pipe.feedServer(preface + frame(4))
    for _ in 0..<1000 where pipe.errors.isEmpty {
      pipe.feedServer(frame(6, [UInt8](repeating: 0, count: 8)))
    }
    #expect(pipe.errors.contains(.flooded) || goAway(pipe) != nil)
  }

  @Test("a token bucket gives its burst, then its rate")
  func bucket() {
    var bucket = TokenBucket(.init(burst: 3, perSecond: 2))
    let second: UInt64 = 1_000_000_000
    let steps: [(at: UInt64, isGiven: Bool)] = [
      (5, true), (5, true), (5, true), (5, false), (6, true), (6, true), (6, false),
      (1000, true), (1000, true), (1000, true), (1000, false), (UInt64.max / second, true),
    ]
    for step in steps {
      let isGiven = bucket.take(nowNanoseconds: step.at * second)
      #expect(isGiven == step.isGiven, "at \(step.at)")
    }
  }

  @Test("a stream's queue reports when it is full, starved, writable and at its end")
  func record() {
    var record = StreamRecord()
    record.open(id: 1)
    let starved = fill(&record, 10).filled.isStarved
    #expect(starved)
    let isFullSoon = record.enqueue([1, 2, 3], mark: 6)
    let isFull = record.enqueue([4, 5, 6, 7], mark: 6)
    #expect(!isFullSoon && isFull)
    let first = fill(&record, 2)
    #expect(first.bytes == [1, 2] && first.filled.becameWritable)
    let second = fill(&record, 3)
    #expect(second.bytes == [3, 4, 5] && !second.filled.becameWritable && !second.filled.isEnd)
    record.end(trailers: nil)
    _ = record.enqueue([9], mark: 6)
    let last = fill(&record, 10)
    #expect(last.bytes == [6, 7] && last.filled.isEnd)
    record.free()
    record.open(id: 3)
    let starvedAgain = fill(&record, 10).filled.isStarved
    #expect(starvedAgain)
  }

  private func fill(_ record: inout StreamRecord, _ count: Int) -> (
    bytes: [UInt8], filled: StreamRecord.Filled
  ) {
    var bytes = [UInt8](repeating: 0, count: count)
    let filled = bytes.withUnsafeMutableBytes { record.fill($0, mark: 6) }
    return (Array(bytes.prefix(filled.count)), filled)
  }
}
