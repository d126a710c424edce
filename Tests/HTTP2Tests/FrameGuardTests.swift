import Testing

@testable import HTTP2

@Suite("What a server looks at before the library")
struct FrameGuardTests {
  private typealias Head = FrameGuard.Head
  private typealias State = FrameGuard.StreamState
  private typealias Verdict = FrameGuard.Verdict

  private static let states: [State] = [
    .idle, .open, .halfClosed, .ended, .resetByPeer, .resetByUs, .neverUsed, .forgotten, .notTaken,
  ]

  private func head(
    _ kind: UInt8, stream: Int32, length: Int = 8, flags: UInt8 = 4, number: UInt32 = 0
  ) -> Head {
    Head(length: length, kind: kind, flags: flags, stream: stream, number: number)
  }

  /// A guard that has seen SETTINGS and a stream 9 that was opened and ended.
  private func greeted() -> FrameGuard {
    var frameGuard = FrameGuard()
    #expect(frameGuard.judge(head(4, stream: 0)) == .pass)
    #expect(frameGuard.judge(head(1, stream: 9, flags: 5)) == .pass)
    return frameGuard
  }

  private func verdict(_ head: Head, on state: State) -> Verdict {
    var frameGuard = greeted()
    return frameGuard.judge(head) ?? frameGuard.judge(head, on: state)
  }

  @Test("DATA and HEADERS are judged by every state of their stream")
  func messages() {
    let closed = ErrorCode.streamClosed
    let expected: [(State, data: Verdict, headers: Verdict)] = [
      (.idle, .terminate(.protocolError), .terminate(.protocolError)),
      (.open, .pass, .pass),
      (.halfClosed, .resetThenPass(closed), .resetThenPass(closed)),
      (.ended, .terminate(closed), .terminate(closed)),
      (.resetByPeer, .resetThenPass(closed), .resetThenPass(closed)),
      (.resetByUs, .pass, .pass),
      (.neverUsed, .terminate(closed), .terminate(.protocolError)),
      (.forgotten, .resetThenPass(closed), .terminate(closed)),
      (.notTaken, .pass, .pass),
    ]
    #expect(expected.map(\.0) == Self.states)
    for (state, data, headers) in expected {
      #expect(verdict(head(0, stream: 5), on: state) == data, "DATA, \(state)")
      #expect(verdict(head(1, stream: 5), on: state) == headers, "HEADERS, \(state)")
    }
  }

  @Test("invalid PRIORITY and WINDOW_UPDATE are judged by every state of their stream")
  func priorities() {
    for (length, number, code) in [
      (4, UInt32(0), ErrorCode.frameSizeError), (5, 5, .protocolError),
    ] {
      for state in Self.states {
        let expected: Verdict =
          switch state {
          case .open, .halfClosed: .reset(code)
          case .idle, .neverUsed: .terminate(code)
          default: .drop
          }
        #expect(verdict(head(2, stream: 5, length: length, number: number), on: state) == expected)
      }
    }
    for state in Self.states {
      #expect(verdict(head(2, stream: 5, length: 5, number: 3), on: state) == .drop)
      let expected: Verdict =
        switch state {
        case .open, .halfClosed: .reset(.protocolError)
        case .idle: .terminate(.protocolError)
        default: .drop
        }
      #expect(verdict(head(8, stream: 5, length: 4), on: state) == expected)
      #expect(verdict(head(8, stream: 5, length: 4, number: 1), on: state) == .pass)
    }
  }

  @Test("within a field block only its CONTINUATION is allowed")
  func continuations() {
    for kind in UInt8(0)...12 {
      for stream: Int32 in [0, 11, 13] {
        var frameGuard = greeted()
        #expect(frameGuard.judge(head(1, stream: 11, flags: 0)) == .pass)
        let expected: Verdict =
          kind == 9 && stream == 11 ? .pass : .terminate(.protocolError)
        #expect(frameGuard.judge(head(kind, stream: stream)) == expected, "\(kind) \(stream)")
      }
    }
    var frameGuard = greeted()
    #expect(frameGuard.judge(head(9, stream: 9)) == .terminate(.protocolError))
  }

  @Test("before SETTINGS no other frame is allowed, and no frame exceeds the maximum size")
  func first() {
    for kind in UInt8(0)...12 {
      var frameGuard = FrameGuard()
      #expect(
        frameGuard.judge(head(kind, stream: 1)) == (kind == 4 ? .pass : .terminate(.protocolError)))
      var greeted = greeted()
      #expect(
        greeted.judge(head(kind, stream: 1, length: 16_385)) == .terminate(.frameSizeError))
    }
  }

  @Test("the bytes of a field block are counted over its frames")
  func blocks() {
    var frameGuard = FrameGuard(blockBytesMax: 20_000)
    #expect(frameGuard.judge(head(4, stream: 0)) == .pass)
    for stream in [Int32(1), 3] {
      #expect(frameGuard.judge(head(1, stream: stream, length: 15_000, flags: 0)) == .pass)
      #expect(frameGuard.judge(head(9, stream: stream, length: 5000)) == .pass)
    }
    #expect(frameGuard.judge(head(1, stream: 5, length: 15_000, flags: 0)) == .pass)
    #expect(frameGuard.judge(head(9, stream: 5, length: 5001)) == .terminate(.enhanceYourCalm))
  }

  @Test("streams that ended long ago are forgotten, those in between were never used")
  func closedStreams() {
    var closed = ClosedStreams()
    closed.append(1, .ended)
    closed.append(5, .resetByPeer)
    #expect(closed.state(of: 1) == .ended)
    #expect(closed.state(of: 3) == .neverUsed)
    #expect(closed.state(of: 5) == .resetByPeer)
    for index in 0..<ClosedStreams.countMax { closed.append(Int32(7 + 4 * index), .resetByUs) }
    #expect(closed.state(of: 1) == .forgotten)
    #expect(closed.state(of: 3) == .forgotten)
    #expect(closed.state(of: 7) == .resetByUs)
    #expect(closed.state(of: 9) == .neverUsed)
  }

  @Test("pings in quick succession are counted until the server has sent something")
  func strikes() {
    var limits = SessionLimits.Pings()
    limits.intervalMinNanoseconds = 100
    limits.idleIntervalMinNanoseconds = 1000
    limits.strikesMax = 2
    var pings = PingStrikes(limits)
    #expect(
      [0, 10, 20, 30].map { pings.take(nowNanoseconds: $0, hasStreams: true) }
        == [true, true, true, false])
    pings.forgive()
    #expect(
      [40, 140, 240, 340, 440].allSatisfy { pings.take(nowNanoseconds: $0, hasStreams: true) })
    pings.forgive()
    #expect(
      [500, 700, 900, 1100].map { pings.take(nowNanoseconds: $0, hasStreams: false) }
        == [true, true, true, false])
  }

  @Test(
    "frames are interpreted the same, however the bytes are split",
    arguments: [1, 2, 3, 7, 13, 64, 10_000])
  func cuts(_ cut: Int) throws {
    let pipe = try Pipe(cut: cut)
    _ = try pipe.client.submitRequest(Pipe.request())
    pipe.run()
    // An invalid PRIORITY and a zero WINDOW_UPDATE: one reset of the open stream, nothing else.
    pipe.feedServer([0, 0, 5, 2, 0, 0, 0, 0, 1, 0, 0, 0, 1, 16])
    pipe.feedServer([0, 0, 4, 8, 0, 0, 0, 0, 1, 0, 0, 0, 0])
    pipe.feedServer([0, 0, 5, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 16])
    pipe.run()
    #expect(pipe.errors.isEmpty)
    #expect(pipe.clientSaw.contains(.closed(1, .protocolError)))
    _ = try pipe.client.submitRequest(Pipe.request())
    pipe.run()
    #expect(pipe.serverSaw.contains { if case .head(3, _, _) = $0 { true } else { false } })
  }
}
