/// Checks the entries of a SETTINGS frame one after the other, as their bytes arrive. libnghttp2
/// keeps only the last of several entries of one setting, and would miss a forbidden value before.
///
/// A pure value. Sources: RFC 9113, sections 6.5.2 and 6.5.3; RFC 8441, section 3; RFC 9218,
/// section 2.1.
struct SettingsCheck {
  /// A setting's identifier and its value.
  private static let entryBytes = 6

  private var entry: UInt64 = 0
  private var count = 0

  /// Takes the next byte of the payload.
  /// - Returns: The error of the entry that ends with this byte; nil if there is none.
  mutating func take(_ byte: UInt8) -> ErrorCode? {
    entry = entry << 8 | UInt64(byte)
    count += 1
    guard count == Self.entryBytes else { return nil }
    let (setting, value) = (entry >> 32, UInt32(truncatingIfNeeded: entry))
    self = SettingsCheck()
    return Self.error(of: setting, value)
  }

  private static func error(of setting: UInt64, _ value: UInt32) -> ErrorCode? {
    switch setting {
    // ENABLE_PUSH, ENABLE_CONNECT_PROTOCOL and NO_RFC7540_PRIORITIES are 0 or 1.
    case 2, 8, 9: value <= 1 ? nil : .protocolError
    // INITIAL_WINDOW_SIZE
    case 4: value <= 0x7fff_ffff ? nil : .flowControlError
    // MAX_FRAME_SIZE
    case 5: (16_384...16_777_215).contains(value) ? nil : .protocolError
    default: nil
    }
  }
}
