import NIOCore
import NIOPosix
import RPCTransport

/// A server that sends its preface and nothing more; a witness records the frames it got.
enum SilentServer {
  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let prefaceBytes = 24
    private let witness: Witness
    private var bytes: [UInt8] = []
    private var index = prefaceBytes

    init(_ witness: Witness) { self.witness = witness }

    func channelActive(context: ChannelHandlerContext) {
      let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: settings)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      bytes += unwrapInboundIn(data).readableBytesView
      while index + 9 <= bytes.count {
        witness.note("frame \(bytes[index + 3])")
        index += 9 + bytes[index..<index + 3].reduce(0) { $0 << 8 | Int($1) }
      }
    }
  }

  static func with(_ witness: Witness, _ body: (HostPort) async throws -> Void) async throws {
    let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Handler(witness))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let port = listener.localAddress?.port ?? 0
    do {
      try await body(HostPort(host: "127.0.0.1", port: port))
    } catch {
      try await listener.close()
      throw error
    }
    try await listener.close()
  }
}
