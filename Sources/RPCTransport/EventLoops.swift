internal import NIOCore
internal import NIOPosix
internal import RPC

/// The event loop threads that carry connections, shared by the servers and clients of a process.
public final class EventLoops: Sendable {
  let group: MultiThreadedEventLoopGroup
  private let executors: [ObjectIdentifier: LoopExecutor]

  /// Starts the threads.
  /// - Parameter threads: The number of event loops, with a thread each; by default one a processor
  ///   core.
  public init(threads: Int? = nil) {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: threads ?? System.coreCount)
    self.group = group
    var executors: [ObjectIdentifier: LoopExecutor] = [:]
    for eventLoop in group.makeIterator() {
      executors[ObjectIdentifier(eventLoop)] = LoopExecutor(eventLoop)
    }
    self.executors = executors
  }

  /// Stops the threads; servers and clients on them must have been shut down.
  public func shutdown() async throws {
    for executor in executors.values {
      executor.execute { executor.handlers.stop() }
    }
    try await group.shutdownGracefully()
    for executor in executors.values { executor.discardTimers() }
  }

  func executor(of eventLoop: any EventLoop) -> LoopExecutor {
    guard let executor = executors[ObjectIdentifier(eventLoop)] else {
      preconditionFailure("a channel is on an event loop of another group")
    }
    return executor
  }

  /// Returns an event loop for tasks that mostly make calls: on the loop of its connection, a call
  /// switches no thread. Nothing that blocks or computes for long may run there.
  public func taskExecutor() -> any TaskExecutor { next() }

  /// All loops, in order.
  var all: [LoopExecutor] { group.makeIterator().map { executor(of: $0) } }

  /// The loop that the caller runs on; nil if it is none of these.
  var current: LoopExecutor? {
    MultiThreadedEventLoopGroup.currentEventLoop.flatMap { executors[ObjectIdentifier($0)] }
  }

  /// Returns the next loop in turn.
  func next() -> LoopExecutor { executor(of: group.next()) }
}
