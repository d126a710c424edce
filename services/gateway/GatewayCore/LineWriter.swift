import Foundation
import Synchronization

/// Writes lines to a file descriptor in batches, on a thread of its own, so that adding a line
/// never blocks, however slow the reader at the other end is.
///
/// Lines are written some milliseconds after they were added; ``flush()`` waits for them. A killed
/// process loses the last of them. Lines beyond the buffer's limit are dropped; a warning line
/// states their number.
///
/// Safe to use from any task or thread.
public final class LineWriter: Sendable {
  /// The writer of this process's standard output.
  public static let standardOutput = LineWriter(descriptor: STDOUT_FILENO)

  /// Size limit of the buffer, in bytes: some ten thousand lines, for a reader that pauses briefly.
  private static let waitingBytesMax = 4 << 20
  /// How long lines are gathered before they are written, unless somebody flushes.
  private static let pause = DispatchTimeInterval.milliseconds(20)

  private struct Waiting {
    var bytes: [UInt8] = []
    var dropped = 0
    /// Whether a batch is being written.
    var isWriting = false
    /// Whether a write failed: the descriptor accepts nothing any more.
    var isClosed = false
    /// Threads that wait for the end of a batch.
    var flushers = 0
  }

  private let descriptor: Int32
  private let waiting = Mutex(Waiting())
  private let room: Int
  private let work = DispatchSemaphore(value: 0)
  private let hurry = DispatchSemaphore(value: 0)
  private let batchEnd = DispatchSemaphore(value: 0)

  init(descriptor: Int32, waitingBytesMax: Int = waitingBytesMax) {
    self.descriptor = descriptor
    room = waitingBytesMax
    let thread = Thread { [self] in run() }
    thread.name = "yijia-lines"
    thread.start()
  }

  /// Adds a line, which includes its line break.
  func add(_ line: [UInt8]) {
    let isFirst = waiting.withLock { waiting in
      guard !waiting.isClosed else { return false }
      guard waiting.bytes.count + line.count <= room else {
        waiting.dropped += 1
        return false
      }
      defer { waiting.bytes += line }
      return waiting.bytes.isEmpty
    }
    if isFirst { work.signal() }
  }

  /// Blocks the calling thread until all lines are written; for the end of a program.
  public func flush() {
    while waiting.withLock({ waiting in
      guard !waiting.isClosed, !waiting.bytes.isEmpty || waiting.isWriting else { return false }
      waiting.flushers += 1
      return true
    }) {
      hurry.signal()
      batchEnd.wait()
    }
  }

  private func run() {
    var batch: [UInt8] = []
    while true {
      work.wait()
      _ = hurry.wait(timeout: .now() + Self.pause)
      let dropped = waiting.withLock { waiting in
        swap(&batch, &waiting.bytes)
        defer { waiting.dropped = 0 }
        waiting.isWriting = true
        return waiting.dropped
      }
      if dropped > 0 {
        var line = JSONLine()
        line.add("level", "warning")
        line.add("message", "lines dropped: nobody read fast enough")
        line.add("count", Int64(dropped))
        batch += line.ended()
      }
      let isWritten = write(batch)
      batch.removeAll(keepingCapacity: true)
      let flushers = waiting.withLock { waiting in
        waiting.isWriting = false
        waiting.isClosed = !isWritten
        defer { waiting.flushers = 0 }
        return waiting.flushers
      }
      for _ in 0..<flushers { batchEnd.signal() }
      if !isWritten { return }
    }
  }

  /// - Returns: `false` where the descriptor accepts nothing any more.
  private func write(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let part = UnsafeRawBufferPointer(rebasing: rest)
        let count = Glibc.write(descriptor, part.baseAddress, part.count)
        if count > 0 {
          rest = rest.dropFirst(count)
          continue
        }
        switch errno {
        case EINTR: continue
        case EAGAIN:
          var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          _ = poll(&wait, 1, -1)
        default: return false
        }
      }
      return true
    }
  }
}
