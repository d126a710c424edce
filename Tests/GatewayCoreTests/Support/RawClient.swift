import NIOCore
import NIOPosix
import RPCTransport

/// Sends bytes as they are on a connection of their own, piece after piece, and hears the answer to
/// the end of the connection.
///
/// - Parameter ends: Whether what was heard is enough.
func speak(
  _ pieces: [[UInt8]], to address: HostPort, until ends: (String) -> Bool = { _ in false }
) async throws -> String {
  let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    .connect(host: address.host, port: address.port) { channel in
      channel.eventLoop.makeCompletedFuture {
        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
      }
    }
  return try await channel.executeThenClose { inbound, outbound in
    var answer = ""
    do {
      for piece in pieces { try await outbound.write(ByteBuffer(bytes: piece)) }
      for try await buffer in inbound {
        answer += String(buffer: buffer)
        if ends(answer) { break }
      }
    } catch is IOError {
      // Reset instead of closed, which is as good an end.
    } catch is ChannelError {
      // Closed while it was written to.
    }
    return answer
  }
}
