internal import CZlib

/// A zlib decompressor that is used again and again, for one stream at a time: at once, or in parts
/// with other work between them. Confined to its thread, like `Deflater`.
@safe
public final class Inflater {
  /// The size of an output step, after which the limit is checked.
  private static let stepBytes = 32 << 10
  /// The input after which the time is looked at: some tens of microseconds if it is headers of
  /// blocks, which take a tenth of a microsecond a byte and may have no output.
  private static let sliceBytes = 256
  /// The highest compression ratio of deflate. Source: zlib's technical details.
  private static let ratioMax = 1032
  /// The most capacity reserved at once: the default limit of a message, and some more.
  private static let reserveMax = 5 << 20

  // The library stores this address in its state, so it may not move. Made in init, freed in
  // deinit.
  private let stream: UnsafeMutablePointer<z_stream>
  private var output: [UInt8] = []
  private var outputMax = 0
  /// The bytes of the input consumed so far.
  private var taken = 0

  /// Creates a decompressor.
  /// - Throws: `outOfMemory`.
  public init() throws(CompressionError) {
    unsafe stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    guard unsafe yijia_inflate_init(stream, Format.zlib.windowBits) == Z_OK else {
      unsafe stream.deallocate()
      throw .outOfMemory
    }
  }

  deinit {
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Returns the decompressor of the calling thread, for what is not interrupted.
  public static func current() throws(CompressionError) -> Inflater {
    let states = ThreadStates.current
    if let known = states.inflater { return known }
    let made = try Inflater()
    states.inflater = made
    return made
  }

  func decompress(
    _ bytes: RawSpan, _ format: Format, outputBytesMax: Int, headroom: Int
  ) throws(CompressionError) -> [UInt8] {
    try begin(format, outputBytesMax: outputBytesMax, headroom: headroom)
    _ = try proceed(bytes, outputBytes: .max)
    return takeOutput()
  }

  /// Starts a stream and discards what is left of the previous one.
  /// - Parameter inputBytes: The size of the stream, to reserve capacity for all that it can
  ///   become. Reserved memory costs nothing until it is used, whereas growing copies megabytes.
  public func begin(
    _ format: Format, outputBytesMax: Int, headroom: Int = 0, inputBytes: Int = 0
  ) throws(CompressionError) {
    guard unsafe inflateReset2(stream, format.windowBits) == Z_OK else { throw .outOfMemory }
    output = [UInt8](repeating: 0, count: headroom)
    let (most, overflow) = headroom.addingReportingOverflow(outputBytesMax)
    outputMax = overflow ? .max : most
    output.reserveCapacity(min(outputMax, headroom + inputBytes * Self.ratioMax, Self.reserveMax))
    taken = 0
  }

  /// Continues the stream until about `outputBytes` more bytes are decompressed, or for about
  /// that time.
  /// - Parameters:
  ///   - bytes: The whole stream, the same each time.
  ///   - outputBytes: The bytes after which others have their turn.
  ///   - timeMax: The time after which they have it, too; nil for none.
  /// - Returns: Whether the stream is complete.
  /// - Throws: As `Format.decompress`; then start with `begin` again.
  public func proceed(
    _ bytes: RawSpan, outputBytes: Int, for timeMax: Duration? = nil
  ) throws(CompressionError) -> Bool {
    let end = timeMax.map { ContinuousClock.now + $0 }
    let (goal, overflow) = output.count.addingReportingOverflow(outputBytes)
    var outcome = Outcome.more
    // Input and step are borrowed for this call; the library keeps neither afterwards.
    unsafe bytes.withUnsafeBytes { input in
      unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.stepBytes) { step in
        repeat {
          let rest = unsafe UnsafeRawBufferPointer(rebasing: input[taken...])
          let slice = end == nil ? rest.count : min(rest.count, Self.sliceBytes)
          unsafe stream.pointee.next_in = UnsafeMutablePointer(
            mutating: rest.baseAddress?.assumingMemoryBound(to: UInt8.self))
          unsafe stream.pointee.avail_in = uInt(slice)
          unsafe outcome = inflateStep(step, isLast: slice == rest.count)
          taken += unsafe slice - Int(stream.pointee.avail_in)
        } while outcome == .more && output.count < (overflow ? .max : goal)
          && end.map { ContinuousClock.now < $0 } ?? true
      }
      if outcome == .done, taken < input.count { outcome = .failed(.corrupt) }
    }
    switch outcome {
    case .more: return false
    case .done: return true
    case .failed(let error):
      output = []
      throw error
    }
  }

  /// Takes the decompressed bytes.
  public func takeOutput() -> [UInt8] {
    defer { output = [] }
    return output
  }

  private enum Outcome: Equatable {
    case more, done
    case failed(CompressionError)
  }

  /// - Parameter isLast: Whether the library has all that is left of the input.
  private func inflateStep(
    _ step: UnsafeMutableBufferPointer<UInt8>, isLast: Bool
  ) -> Outcome {
    unsafe stream.pointee.next_out = step.baseAddress
    unsafe stream.pointee.avail_out = uInt(step.count)
    let code = unsafe inflate(stream, Z_NO_FLUSH)
    let made = unsafe step.count - Int(stream.pointee.avail_out)
    guard output.count + made <= outputMax else { return .failed(.tooLarge) }
    unsafe output.append(contentsOf: step.prefix(made))
    switch code {
    case Z_STREAM_END: return .done
    // Less than a whole step without the end: the input is truncated.
    case Z_OK: return isLast && made < step.count ? .failed(.corrupt) : .more
    case Z_MEM_ERROR: return .failed(.outOfMemory)
    default: return .failed(.corrupt)
    }
  }
}
