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

  /// - Parameter text: A text of a statement: the first connection that sends it is cut instead of
  ///   being told that it has committed.
  init(to server: UInt16, losingCommitOf text: String? = nil) throws {
    let loss = Loss(text)
    self.loss = loss
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
        Thread.detachNewThread { Self.pass(client, behind) { loss.note($0, from: behind) } }
        Thread.detachNewThread { Self.pass(behind, client) { !loss.takes($0, from: behind) } }
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

  /// Each direction has its own thread; both ends stay open until the process ends, or the other
  /// side closes, or `passes` returns false.
  private static func pass(_ from: Int32, _ to: Int32, _ passes: (ArraySlice<UInt8>) -> Bool) {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(from, &bytes, bytes.count)
      if count <= 0 || !passes(bytes[..<count]) { break }
      var sent = 0
      while sent < count {
        let more = bytes[sent..<count].withUnsafeBytes { write(to, $0.baseAddress, $0.count) }
        if more <= 0 { break }
        sent += more
      }
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
  ///
  /// - Returns: True: it is passed on.
  func note(_ bytes: ArraySlice<UInt8>, from server: Int32) -> Bool {
    guard let text, bytes.firstRange(of: Array(text.utf8)) != nil else { return true }
    state.withLock { if $0.server == nil { $0.server = server } }
    return true
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
