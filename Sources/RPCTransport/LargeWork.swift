internal import Glibc
internal import NIOPosix

/// The thread of the process for work that would hold up an event loop. It is one, and of a lower
/// priority, so that a peer that makes much of that work takes little from the loops.
enum LargeWork {
  /// The thread's niceness: a third of a loop's share of a busy processor.
  private static let niceness: Int32 = 5

  static let pool: NIOThreadPool = {
    let pool = NIOThreadPool(numberOfThreads: 1)
    pool.start()
    // On Linux the niceness is that of a thread; 0 is the calling one.
    pool.submit { _ in setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness) }
    return pool
  }()
}
