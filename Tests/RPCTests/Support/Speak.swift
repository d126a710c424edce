import NIOCore
import NIOPosix
import NIOSSL
import RPCTransport

/// Sends bytes to a server and collects its response until it closes; over TLS if protocols (ALPN,
/// possibly none) are given.
/// - Parameter heard: Gets the response so far, each time there is more.
func speak(
  _ bytes: [UInt8], to address: HostPort, offering protocols: [String]? = nil,
  heard: ([UInt8]) async -> Void = { _ in }
) async throws -> [UInt8] {
  let tls = try protocols.map { protocols in
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.certificateVerification = .none
    configuration.applicationProtocols = protocols
    return try NIOSSLContext(configuration: configuration)
  }
  let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    .channelOption(.allowRemoteHalfClosure, value: false)
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
    var answer: [UInt8] = []
    do {
      if !bytes.isEmpty { try await outbound.write(ByteBuffer(bytes: bytes)) }
      for try await buffer in inbound {
        answer.append(contentsOf: buffer.readableBytesView)
        await heard(answer)
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
