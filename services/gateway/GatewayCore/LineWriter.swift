import Foundation
import Synchronization

/// Writes lines to a descriptor, gathered, on a thread of its own: who adds one never waits,
/// however slow the reader at the other end is.
///
/// Lines are written some milliseconds after they were added; ``flush()`` waits for them. A killed
/// process loses the last of them. What finds no room is dropped, and a line says how many were.
///
/// Safe to use from any task or thread.
public final class LineWriter: Sendable {
  /// Of this process.
  public static let standardOutput = LineWriter(descriptor: STDOUT_FILENO)

  /// Lines that wait, in bytes: some ten thousand, for a reader that pauses for a moment.
  private static let waitingBytesMax = 4 << 20
  /// Lines gather this long, unless somebody waits for them.
  private static let pause = DispatchTimeInterval.milliseconds(20)

  private struct Waiting {
    var bytes: [UInt8] = []
    var dropped = 0
    /// Some were taken and are being written.
    var isWriting = false
    /// The descriptor takes nothing any more.
    var isClosed = false
    /// Who waits for the end of a batch.
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

  /// Adds a line, with its end.
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

  /// Returns once no line waits. Blocks its thread: for a program's end.
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

  /// - Returns: `false` where the descriptor takes nothing any more.
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
