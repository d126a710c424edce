import NIOCore
import RPC

extension NIOBSDSocket.Option {
  /// How many milliseconds TCP waits for the peer to acknowledge what was sent, or to have room for
  /// more, before it ends the connection. Source: tcp(7), TCP_USER_TIMEOUT.
  static let userTimeout = NIOBSDSocket.Option(rawValue: 18)
}

extension ConnectionLimits {
  /// `stallMax` for TCP, which notices a peer that is gone even if little was sent to it.
  /// Source: gRFC A18.
  var userTimeout: SocketOptionValue {
    let milliseconds = stallMax.wholeNanoseconds / 1_000_000
    return SocketOptionValue(min(max(1, milliseconds), UInt64(Int32.max)))
  }
}
