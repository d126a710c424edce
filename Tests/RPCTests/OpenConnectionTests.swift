import NIOCore
import RPC
import Synchronization
import Testing

@testable import RPCTransport

/// How a server at its limit of connections looks for one that makes room, by numbers alone.
@Suite("Connections at the limit")
struct OpenConnectionTests {
  /// Counts how often connections are asked whether they are idle.
  private final class Tally: Sendable {
    private let count = Atomic(0)

    var asked: Int { count.load(ordering: .relaxed) }

    func add() { count.add(1, ordering: .relaxed) }
  }

  private final class Member: ServedConnection {
    let executor: LoopExecutor
    let isIdle = Atomic(false)
    private let tally: Tally

    init(on executor: LoopExecutor, counting tally: Tally) {
      self.executor = executor
      self.tally = tally
    }

    let runningCalls = 1

    func isTakenWhenIdle() -> Bool {
      tally.add()
      return isIdle.compareExchange(expected: true, desired: false, ordering: .relaxed).exchanged
    }

    func makeRoom() {}
    func giveWay() {}
    func drain() {}
    func close(_ reason: String) {}
  }

  private let tally = Tally()
  private let start = NIODeadline.now()

  /// Runs with as many connections as are admitted, all busy.
  private func withCrowd(
    _ count: Int, _ body: (inout OpenConnections, [Member], LoopExecutor) -> Void
  ) async throws {
    let loops = EventLoops(threads: 1)
    let executor = loops.next()
    let members = (0..<count).map { _ in Member(on: executor, counting: tally) }
    var connections = OpenConnections()
    connections.countMax = count
    for member in members {
      guard case .admitted = connections.admit(member, at: start) else {
        Issue.record("refused below the limit")
        break
      }
    }
    #expect(tally.asked == 0)
    body(&connections, members, executor)
    try await loops.shutdown()
  }

  /// Asks for the admission of one more; returns how many were asked to give way for it, nil if it
  /// was admitted.
  private func asked(
    _ connections: inout OpenConnections, _ executor: LoopExecutor, after pause: TimeAmount
  ) -> Int? {
    let one = Member(on: executor, counting: tally)
    guard case .refused(let asked) = connections.admit(one, at: start + pause) else { return nil }
    return asked.count
  }

  @Test("a crowd without an idle connection is searched once, and then not for a while")
  func pause() async throws {
    let count = OpenConnections.searchedMax + 1
    try await withCrowd(count) { connections, members, executor in
      let first = asked(&connections, executor, after: .zero)
      #expect((1...OpenConnections.askedMax).contains(first ?? 0))
      #expect(tally.asked == count)
      // Neither is anybody asked to give way, nor found, meanwhile.
      members[7].isIdle.store(true, ordering: .relaxed)
      let almost = OpenConnections.searchPause - .nanoseconds(1)
      for _ in 0..<100 { #expect(asked(&connections, executor, after: almost) == 0) }
      #expect(tally.asked == count)
      #expect(asked(&connections, executor, after: OpenConnections.searchPause) == nil)
      #expect(connections.count == count + 1)
      let isFree = members[7].isIdle.load(ordering: .relaxed)
      #expect(!isFree)
      // What was found does not begin a pause.
      let searched = tally.asked
      _ = asked(&connections, executor, after: OpenConnections.searchPause)
      #expect(tally.asked == searched + count + 1)
    }
  }

  @Test("few connections are searched for each new one")
  func few() async throws {
    let count = OpenConnections.searchedMax
    try await withCrowd(count) { connections, _, executor in
      for turn in 1...3 {
        #expect(asked(&connections, executor, after: .zero) != nil)
        #expect(tally.asked == turn * count)
      }
    }
  }
}
