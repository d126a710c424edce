internal import CPostgres
internal import Foundation
internal import Storage
internal import Synchronization

/// The engine's interface to its callers: a mailbox that wakes the engine's thread. Safe to call
/// from any thread.
final class Engine: Sendable {
  enum Message {
    case read(ReadJob)
    /// The read's task was canceled.
    case forget(ReadJob)
    case write(any WriteJob)
    /// The tasks of some writes were canceled.
    case forgetWrites
    case connected(slot: Int, PostgresLink, PostgresSession)
    case refused(slot: Int, StorageError)
    /// The result of a probe for the slot's connection of that number.
    case examined(slot: Int, connection: Int, works: Bool)
  }

  private struct Mailbox {
    var messages: [Message] = []
    var isClosed = false
    /// The thread has read the mailbox for the last time.
    var isOver = false
    /// The queued reads, as last reported by the thread.
    var waitingReads = 0
    /// The queued writes, as last reported by the thread.
    var waitingWrites = 0
  }

  let url: String
  let options: PostgresOptions
  let signal = FeedSignal()
  let statistics = Mutex(WriterStatistics())
  private let mailbox = Mutex(Mailbox())
  /// The loop, while it is lent to callers. Locked before the mailbox.
  private let loan = Mutex<EngineLoop?>(nil)
  /// An eventfd, readable while the mailbox has new messages. Closed in `deinit`.
  let bell: Int32

  init(url: String, options: PostgresOptions) throws(StorageError) {
    self.url = url
    self.options = options
    bell = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
    guard bell >= 0 else { throw .io(.init("eventfd: errno \(errno)")) }
  }

  deinit {
    _ = Glibc.close(bell)
  }

  /// Adds a caller's message to the mailbox, and handles it if the loop is lent.
  ///
  /// - Throws: `StorageError.busy` if the queue is full, `.closed`.
  func submit(_ message: Message) throws(StorageError) {
    let (error, isFirst) = mailbox.withLock { box -> (StorageError?, Bool) in
      if box.isClosed { return (.closed, false) }
      let new = box.messages.count
      switch message {
      case .read where box.waitingReads + new >= options.waitingReads: return (.busy, false)
      case .write where box.waitingWrites + new >= options.waitingWrites: return (.busy, false)
      default: break
      }
      box.messages.append(message)
      return (nil, new == 0)
    }
    if let error { throw error }
    if isFirst && !takeTurn() { ring() }
  }

  /// Handles the messages in the place of the engine's thread, if that has lent its loop.
  ///
  /// - Returns: Whether the thread need not be woken.
  private func takeTurn() -> Bool {
    loan.withLock { loan in
      guard let loop = loan else { return false }
      loan = nil
      return loop.turn()
    }
  }

  /// Lends the loop to the next caller. For the engine's thread.
  func lend(_ loop: EngineLoop) {
    loan.withLock { $0 = loop }
  }

  /// Takes the loop back, and waits for a caller that is using it. For the engine's thread.
  func reclaim() {
    loan.withLock { $0 = nil }
  }

  /// Adds a message of one of the engine's helper threads, or of a canceled task; accepted after
  /// `close`, too. Always wakes the thread, because such a message changes what it waits for.
  func post(_ message: Message) {
    let isAdded = mailbox.withLock { box -> Bool in
      if box.isOver { return false }
      box.messages.append(message)
      return true
    }
    if isAdded { ring() }
  }

  /// Rejects further calls.
  func close() {
    mailbox.withLock { $0.isClosed = true }
    ring()
  }

  /// Ends the mailbox unless it has messages left. For the engine's thread.
  func end() -> Bool {
    mailbox.withLock { box in
      box.isOver = box.messages.isEmpty
      return box.isOver
    }
  }

  /// Reports the queue lengths and removes all messages. For the engine's thread.
  func take(waitingReads: Int, waitingWrites: Int) -> (messages: [Message], isClosed: Bool) {
    mailbox.withLock { box in
      defer { box.messages.removeAll(keepingCapacity: true) }
      box.waitingReads = waitingReads
      box.waitingWrites = waitingWrites
      return (box.messages, box.isClosed)
    }
  }

  var waitingWrites: Int { mailbox.withLock { $0.waitingWrites } }

  private func ring() {
    var one: UInt64 = 1
    _ = Glibc.write(bell, &one, 8)
  }

  /// Resets the eventfd. For the engine's thread.
  func silence() {
    var count: UInt64 = 0
    _ = Glibc.read(bell, &count, 8)
  }

  /// Probes, over another connection and on a thread of its own, whether the server is still
  /// working on what a slot's connection sent.
  func examine(_ index: Int, _ slot: ConnectionSlot) {
    guard let place = slot.place else { return }
    let connection = slot.connections
    Thread.detachNewThread { [self] in
      let works = (try? PostgresSession.works(url, options, for: place)) ?? false
      post(.examined(slot: index, connection: connection, works: works))
    }
  }

  /// Connects on a thread of its own.
  func connect(_ slot: Int, _ role: PostgresSession.Role) {
    Thread.detachNewThread { [self] in
      do throws(StorageError) {
        let (link, session) = try PostgresSession.open(url, options, role)
        post(.connected(slot: slot, link, session))
      } catch {
        post(.refused(slot: slot, error))
      }
    }
  }
}
