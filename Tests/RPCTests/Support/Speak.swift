import NIOCore
import NIOPosix
import RPCTransport

/// Speaks bytes to a server and collects its answer until it closes.
func speak(_ bytes: [UInt8], to address: HostPort) async throws -> [UInt8] {
  let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    .channelOption(.allowRemoteHalfClosure, value: false)
    .connect(host: address.host, port: address.port) { channel in
      channel.eventLoop.makeCompletedFuture {
        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
      }
    }
  return try await channel.executeThenClose { inbound, outbound in
    var answer: [UInt8] = []
    do {
      if !bytes.isEmpty { try await outbound.write(ByteBuffer(bytes: bytes)) }
      for try await buffer in inbound { answer.append(contentsOf: buffer.readableBytesView) }
    } catch is IOError {
      // Reset instead of closed, which is as good an end.
    } catch is ChannelError {
      // Closed while it was written to.
    }
    return answer
  }
}
