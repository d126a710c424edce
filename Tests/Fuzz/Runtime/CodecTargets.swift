import Compression
import FuzzCore
import RPC

extension FuzzTarget {
  /// Parses and writes `grpc-timeout`.
  static let timeout = FuzzTarget(name: "timeout") { bytes in
    if let time = Timeout.parse(bytes.span.bytes) {
      try require(time >= .zero, "a timeout is not negative")
      try written(time)
    }
    var input = InputReader(bytes)
    try written(
      Duration(
        secondsComponent: input.integer(Int64.self),
        attosecondsComponent: input.integer(Int64.self) % 1_000_000_000_000_000_000))
  }

  private static func written(_ time: Duration) throws {
    let text = Timeout.format(time)
    try require(text.utf8.count <= 9, "'\(text)' has at most eight digits and a unit")
    guard let read = Timeout.parse(Array(text.utf8).span.bytes) else {
      throw FuzzFinding("'\(text)' can be read again")
    }
    try require(read <= max(time, .nanoseconds(1)), "'\(text)' is no longer than \(time)")
  }

  /// Decodes and encodes `grpc-message`.
  static let percent = FuzzTarget(name: "percent") { bytes in
    let text = PercentEncoding.decode(bytes)
    let encoded = PercentEncoding.encode(text)
    try require(encoded.utf8.allSatisfy { (0x20...0x7e).contains($0) }, "it is printable ASCII")
    try require(!encoded.hasPrefix(" ") && !encoded.hasSuffix(" "), "no space is at an end")
    try require(PercentEncoding.decode(Array(encoded.utf8)) == text, "it comes through")
  }

  /// Decodes and encodes the base64 of `-bin` metadata.
  static let base64 = FuzzTarget(name: "base64") { bytes in
    let encoded = Base64.encode(bytes)
    try require(Base64.decode(encoded.utf8) == bytes, "bytes come through")
    let padding = String(repeating: "=", count: (4 - encoded.utf8.count % 4) % 4)
    try require(Base64.decode((encoded + padding).utf8) == bytes, "with padding, too")
    guard let decoded = Base64.decode(bytes) else { return }
    try require(decoded.count <= bytes.count * 3 / 4, "decoding does not grow")
    let again = Base64.encode(decoded)
    try require(Base64.decode(again.utf8) == decoded, "what was read can be written")
  }

  /// Decompression of a peer's data, within the limit or refused; and the round trip of own data.
  static let inflate = FuzzTarget(name: "inflate") { bytes in
    var input = InputReader(bytes)
    let format = input.byte() & 1 == 0 ? Format.gzip : .zlib
    let most = Int(input.byte()) << 4
    let body = input.rest()
    if let plain = try? format.decompress(body.span.bytes, outputBytesMax: most, headroom: 5) {
      try require(plain.count <= most + 5, "the limit holds")
      try require(plain.prefix(5).allSatisfy { $0 == 0 }, "the headroom is zero")
    }
    // Compressing costs fifty times as much as refusing, so few inputs are compressed.
    guard body.first == 0 else { return }
    let packed = try unfailing("it compresses") { try format.compress(body.span.bytes) }
    let again = try unfailing("it comes back") {
      try format.decompress(packed.span.bytes, outputBytesMax: body.count)
    }
    try require(again == body, "it comes back the same")
  }

  /// A body of messages is framed identically, however it is split.
  static let framing = FuzzTarget(name: "framing") { bytes in
    var input = InputReader(bytes)
    let most = Int(input.byte()) << 2
    let cuts = input.integer(UInt32.self)
    let body = input.rest()
    let whole = messages(of: [body], most)
    let pieces = cut(body, at: cuts)
    let pieced = messages(of: pieces, most)
    try require(whole.list == pieced.list, "the pieces do not matter")
    try require(whole.end == pieced.end, "nor do they for the end: \(whole.end), \(pieced.end)")
    try require(whole.list.allSatisfy { $0.count <= most }, "no message is over the limit")
    let kept = whole.list.reduce(0) { $0 + $1.count + MessageFramer.prefixBytes }
    try require(kept <= body.count, "no byte is taken twice")
  }

  private enum End: Equatable {
    case clean, cut
    case violation(RPCError.Code)
  }

  private static func messages(of pieces: [[UInt8]], _ most: Int) -> (list: [[UInt8]], end: End) {
    var framer = MessageFramer(messageBytesMax: most)
    var list: [[UInt8]] = []
    for piece in pieces {
      framer.append(piece.span.bytes)
      front: while true {
        switch framer.front() {
        case .incomplete: break front
        case .violation(let error): return (list, .violation(error.code))
        case .message(let range):
          list.append(Array(framer.bytes[range]))
          framer.take(range)
        }
      }
    }
    return (list, framer.unreadBytes == 0 ? .clean : .cut)
  }

  /// Splits a body: each bit of `cuts` decides whether the next few bytes are a separate piece.
  private static func cut(_ body: [UInt8], at cuts: UInt32) -> [[UInt8]] {
    var pieces: [[UInt8]] = [[]]
    for (index, byte) in body.enumerated() {
      if cuts >> UInt32(index & 31) & 1 == 1 { pieces.append([]) }
      pieces[pieces.count - 1].append(byte)
    }
    return pieces
  }
}
