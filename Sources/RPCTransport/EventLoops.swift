internal import NIOCore
internal import NIOPosix
internal import RPC

/// The threads that carry connections, shared by the servers and clients of a process.
public final class EventLoops: Sendable {
  let group: MultiThreadedEventLoopGroup
  private let executors: [ObjectIdentifier: LoopExecutor]

  /// - Parameter threads: one event loop each; by default one a processor core.
  public init(threads: Int? = nil) {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: threads ?? System.coreCount)
    self.group = group
    var executors: [ObjectIdentifier: LoopExecutor] = [:]
    for eventLoop in group.makeIterator() {
      executors[ObjectIdentifier(eventLoop)] = LoopExecutor(eventLoop)
    }
    self.executors = executors
  }

  /// Ends the threads; servers and clients on them must have been shut down.
  public func shutdown() async throws {
    for executor in executors.values {
      executor.execute { executor.handlers.stop() }
    }
    try await group.shutdownGracefully()
  }

  func executor(of eventLoop: any EventLoop) -> LoopExecutor {
    guard let executor = executors[ObjectIdentifier(eventLoop)] else {
      preconditionFailure("a channel is on an event loop of another group")
    }
    return executor
  }

  /// A loop for tasks that mostly call: on the loop of its connection a call needs no hop. Nothing
  /// that blocks or computes for long may run there.
  public func taskExecutor() -> any TaskExecutor { next() }

  /// Every loop, in order.
  var all: [LoopExecutor] { group.makeIterator().map { executor(of: $0) } }

  /// The loop that the caller runs on, if it runs on one of these.
  var current: LoopExecutor? {
    MultiThreadedEventLoopGroup.currentEventLoop.flatMap { executors[ObjectIdentifier($0)] }
  }

  /// The next loop in turn.
  func next() -> LoopExecutor { executor(of: group.next()) }
}
