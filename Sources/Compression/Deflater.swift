internal import CZlib

/// A zlib compressor that is used again and again: a new one takes 256 KiB that must be cleared.
/// Confined to its thread; never held across a suspension point.
@safe
final class Deflater {
  /// zlib's default level, the best trade-off for text and records. Source: zlib.h.
  private static let level: Int32 = 6
  /// zlib's default memory level: 128 KiB of hash tables. Source: zlib.h, deflateInit2.
  private static let memoryLevel: Int32 = 8

  /// The size of an output step, so that a buffer is never much larger than its content.
  private static let stepBytes = 32 << 10

  // The library stores this address in its state, so it may not move. Made in init, freed in
  // deinit.
  private let stream: UnsafeMutablePointer<z_stream>

  init(_ format: Format) throws(CompressionError) {
    unsafe stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    let code = unsafe yijia_deflate_init(stream, Self.level, format.windowBits, Self.memoryLevel)
    guard code == Z_OK else {
      unsafe stream.deallocate()
      throw .outOfMemory
    }
  }

  deinit {
    unsafe deflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Returns the compressor of the calling thread.
  static func current(_ format: Format) throws(CompressionError) -> Deflater {
    let states = ThreadStates.current
    if let known = states.deflaters[format] { return known }
    let made = try Deflater(format)
    states.deflaters[format] = made
    return made
  }

  func compress(_ bytes: RawSpan, headroom: Int) throws(CompressionError) -> [UInt8] {
    unsafe deflateReset(stream)
    var output = [UInt8](repeating: 0, count: headroom)
    var isDone = false
    // Input and step are borrowed for this call; the library keeps neither afterwards.
    unsafe bytes.withUnsafeBytes { input in
      unsafe stream.pointee.next_in = UnsafeMutablePointer(
        mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
      unsafe stream.pointee.avail_in = uInt(input.count)
      unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.stepBytes) { step in
        unsafe isDone = deflateAll(&output, step)
      }
    }
    guard isDone else { throw .outOfMemory }
    return output
  }

  private func deflateAll(
    _ output: inout [UInt8], _ step: UnsafeMutableBufferPointer<UInt8>
  ) -> Bool {
    while true {
      unsafe stream.pointee.next_out = step.baseAddress
      unsafe stream.pointee.avail_out = uInt(step.count)
      let code = unsafe deflate(stream, Z_FINISH)
      let made = unsafe step.count - Int(stream.pointee.avail_out)
      unsafe output.append(contentsOf: step.prefix(made))
      if code == Z_STREAM_END { return true }
      guard code == Z_OK else { return false }
    }
  }
}
