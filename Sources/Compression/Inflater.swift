internal import CZlib

/// zlib's restoring state, used again and again. Confined to its thread, as `Deflater`.
@safe
final class Inflater {
  /// Output is made in steps of this and looked at after each.
  private static let stepBytes = 32 << 10

  // The library keeps this address in its state, so it may not move. Made in init, freed in deinit.
  private let stream: UnsafeMutablePointer<z_stream>

  init() throws(CompressionError) {
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

  /// The calling thread's.
  static func current() throws(CompressionError) -> Inflater {
    let states = ThreadStates.current
    if let known = states.inflater { return known }
    let made = try Inflater()
    states.inflater = made
    return made
  }

  func decompress(
    _ bytes: RawSpan, _ format: Format, outputBytesMax: Int, headroom: Int
  ) throws(CompressionError) -> [UInt8] {
    guard unsafe inflateReset2(stream, format.windowBits) == Z_OK else { throw .outOfMemory }
    var output = [UInt8](repeating: 0, count: headroom)
    let (countMax, overflow) = headroom.addingReportingOverflow(outputBytesMax)
    var failure: CompressionError?
    // Input and step are borrowed for this call; the library keeps neither afterwards.
    unsafe bytes.withUnsafeBytes { input in
      unsafe stream.pointee.next_in = UnsafeMutablePointer(
        mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
      unsafe stream.pointee.avail_in = uInt(input.count)
      unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.stepBytes) { step in
        unsafe failure = inflateAll(&output, countMax: overflow ? .max : countMax, step)
      }
    }
    if let failure { throw failure }
    return output
  }

  private func inflateAll(
    _ output: inout [UInt8], countMax: Int, _ step: UnsafeMutableBufferPointer<UInt8>
  ) -> CompressionError? {
    while true {
      unsafe stream.pointee.next_out = step.baseAddress
      unsafe stream.pointee.avail_out = uInt(step.count)
      let code = unsafe inflate(stream, Z_NO_FLUSH)
      let made = unsafe step.count - Int(stream.pointee.avail_out)
      guard output.count + made <= countMax else { return .tooLarge }
      unsafe output.append(contentsOf: step.prefix(made))
      switch code {
      case Z_STREAM_END: return unsafe stream.pointee.avail_in == 0 ? nil : .corrupt
      // Less than a whole step and no end: the input is cut.
      case Z_OK: if made < step.count { return .corrupt }
      case Z_MEM_ERROR: return .outOfMemory
      default: return .corrupt
      }
    }
  }
}
