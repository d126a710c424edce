import NIOCore
import NIOPosix
import NIOSSL
import RPCTransport

/// Sends bytes unchanged on a connection of its own, piece by piece, and returns the response until
/// the connection ends.
///
/// - Parameters:
///   - isTLS: Whether to speak HTTP/1.1 over TLS, without verification of the server.
///   - ends: Whether the response so far is enough.
func speak(
  _ pieces: [[UInt8]], to address: HostPort, isTLS: Bool = false,
  until ends: (String) -> Bool = { _ in false }
) async throws -> String {
  var configuration = TLSConfiguration.makeClientConfiguration()
  configuration.certificateVerification = .none
  configuration.applicationProtocols = ["http/1.1"]
  let tls = isTLS ? try NIOSSLContext(configuration: configuration) : nil
  let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    .connect(host: address.host, port: address.port) { channel in
      channel.eventLoop.makeCompletedFuture {
        if let tls {
          try channel.pipeline.syncOperations.addHandler(
            NIOSSLClientHandler(context: tls, serverHostname: nil))
        }
        return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
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
      // A reset is as good an end.
    } catch is ChannelError {
      // Closed while being written to.
    } catch is NIOSSLError {
      // Closed without close_notify.
    }
    return answer
  }
}
