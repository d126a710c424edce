import NIOCore

/// Stands between the socket and the codec of an HTTP/1.1 connection: counts the bytes, since the
/// codec drops chunk extensions and leading zeros of chunk sizes silently, and lets other
/// connections have their turns. A chunk of a byte takes the codec as long as one of thousands, and
/// a TLS record has room for thousands of chunks.
///
/// Confined to its event loop.
final class HTTP1Reading: ChannelDuplexHandler, ReadSizing, @unchecked Sendable {
  // Guard: all mutable state is touched on the connection's event loop only.
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = IOData
  typealias OutboundOut = IOData

  /// The bytes that the codec gets before the time is looked at.
  private static let sliceBytes = 4 << 10

  private let connection: HTTP1Connection
  private(set) var readSize: ReadSize
  /// What the codec did not get yet. The next read takes it instead of the socket.
  private var rest = ByteBuffer()
  private var isScheduled = false
  /// Whether what arrives was asked for. Unasked comes what a client left that has closed its side:
  /// SwiftNIO reads all of it at once.
  private var isAsked = true
  private var turnBytes = 0
  private var turnNanoseconds: UInt64 = 0

  init(for connection: HTTP1Connection, readBytesMax: Int) {
    self.connection = connection
    readSize = ReadSize(bytesMax: readBytesMax)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    if rest.readableBytes == 0 { rest = bytes } else { rest.writeBuffer(&bytes) }
    if isAsked { feed(context) }
  }

  /// Gives the codec as much of the rest as the turn has time for.
  private func feed(_ context: ChannelHandlerContext) {
    while turnNanoseconds < ReadSize.turnNanosecondsMax,
      let slice = rest.readSlice(length: min(rest.readableBytes, Self.sliceBytes)),
      slice.readableBytes > 0
    {
      let start = NIODeadline.now().uptimeNanoseconds
      turnBytes += slice.readableBytes
      connection.arrived(slice.readableBytes)
      context.fireChannelRead(wrapInboundOut(slice))
      connection.checkFraming()
      turnNanoseconds += NIODeadline.now().uptimeNanoseconds - start
    }
    if rest.readableBytes == 0 { rest = ByteBuffer() }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    isAsked = false
    context.fireChannelReadComplete()
    guard turnBytes > 0 else { return }
    readSize.turned(bytes: turnBytes, nanoseconds: turnNanoseconds)
    turnBytes = 0
    turnNanoseconds = 0
  }

  func read(context: ChannelHandlerContext) {
    guard rest.readableBytes > 0 else {
      isAsked = true
      return context.read()
    }
    guard !isScheduled else { return }
    isScheduled = true
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    connection.executor.afterPoll { [self] in
      isScheduled = false
      let context = bound.value
      guard rest.readableBytes > 0 else { return }
      feed(context)
      channelReadComplete(context: context)
      context.channel.read()
    }
  }

  /// Drops the rest: the client has left.
  func channelInactive(context: ChannelHandlerContext) {
    rest = ByteBuffer()
    context.fireChannelInactive()
  }
}
