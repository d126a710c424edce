import Foundation
import Synchronization
import Testing

/// A TCP proxy in front of the server; once closed it accepts no more connections, and keeps the
/// existing ones.
final class Gate: Sendable {
  let port: UInt16
  private let listener: Int32
  private let isOpen = Mutex(true)
  private let loss: Loss
  private let cut: Cut

  /// - Parameters:
  ///   - text: A text of a statement: the first connection that sends it is cut instead of being
  ///     told that it has committed.
  ///   - mark: A text of an answer: the first answer that has it ends before it, and with it the
  ///     connection.
  init(
    to server: UInt16, losingCommitOf text: String? = nil, cuttingAnswerAt mark: String? = nil
  ) throws {
    let (loss, cut) = (Loss(text), Cut(mark))
    self.loss = loss
    self.cut = cut
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    try #require(Self.with(0) { bind(listener, $0, $1) } == 0 && listen(listener, 16) == 0)
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getsockname(listener, $0, &length)
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    self.listener = listener
    Thread.detachNewThread {
      while true {
        let client = accept(listener, nil, nil)
        if client < 0 { return }
        let behind = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        _ = Self.with(server) { connect(behind, $0, $1) }
        Thread.detachNewThread {
          Self.pass(client, behind) { bytes in
            loss.note(bytes, from: behind)
            return bytes
          }
        }
        Thread.detachNewThread {
          Self.pass(behind, client) { loss.takes($0, from: behind) ? [] : cut.rest(of: $0) }
        }
      }
    }
  }

  func close() {
    isOpen.withLock { isOpen in
      if isOpen { shutdown(listener, Int32(SHUT_RDWR)) }
      isOpen = false
    }
  }

  /// Whether the reply to the commit was lost.
  var hasLost: Bool { loss.hasLost }

  /// Whether an answer was cut.
  var hasCut: Bool { cut.isDone }

  /// Each direction has its own thread; both ends stay open until the process ends, or the other
  /// side closes, or `passed` returns less than the bytes that it receives.
  private static func pass(
    _ from: Int32, _ to: Int32, _ passed: (ArraySlice<UInt8>) -> ArraySlice<UInt8>
  ) {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(from, &bytes, bytes.count)
      if count <= 0 { break }
      var rest = passed(bytes[..<count])
      let isWhole = rest.count == count
      while !rest.isEmpty {
        // Without SIGPIPE, which would end the whole run.
        let sent = rest.withUnsafeBytes {
          send(to, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if sent <= 0 { break }
        rest = rest.dropFirst(sent)
      }
      if !isWhole { break }
    }
    shutdown(to, Int32(SHUT_WR))
  }

  /// The socket address of a port of the loopback interface.
  private static func with<Result>(
    _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
}

/// The loss of one reply. The text is expected in one piece, as libpq sends a short statement.
private final class Loss: Sendable {
  private let text: String?
  private let state = Mutex<(server: Int32?, hasLost: Bool)>((nil, false))

  init(_ text: String?) {
    self.text = text
  }

  var hasLost: Bool { state.withLock { $0.hasLost } }

  /// Looks for the text in what a client sends over the connection to the server.
  func note(_ bytes: ArraySlice<UInt8>, from server: Int32) {
    guard let text, bytes.firstRange(of: Array(text.utf8)) != nil else { return }
    state.withLock { if $0.server == nil { $0.server = server } }
  }

  /// Returns whether these bytes are the reply to lose.
  func takes(_ bytes: ArraySlice<UInt8>, from server: Int32) -> Bool {
    guard text != nil, bytes.firstRange(of: Array("COMMIT\0".utf8)) != nil else { return false }
    return state.withLock { state in
      guard state.server == server, !state.hasLost else { return false }
      state.hasLost = true
      return true
    }
  }
}

/// The end of a connection in the middle of one answer. The mark is expected in one piece with all
/// that precedes it in its batch, as the server sends short answers.
private final class Cut: Sendable {
  private let mark: String?
  private let state = Mutex(false)

  init(_ mark: String?) {
    self.mark = mark
  }

  var isDone: Bool { state.withLock { $0 } }

  /// Returns what is passed on of the server's bytes.
  func rest(of bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard let mark, let place = bytes.firstRange(of: Array(mark.utf8)) else { return bytes }
    return state.withLock { isDone in
      if isDone { return bytes }
      isDone = true
      return bytes[..<place.lowerBound]
    }
  }
}
