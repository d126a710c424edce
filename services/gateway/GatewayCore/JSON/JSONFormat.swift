/// Format of a response stream. Of those that a caller wants equally, the first here is sent.
enum JSONFormat: Sendable, Hashable, CaseIterable {
  /// One `{"result":…}` per line; a failed call ends with `{"error":…}`.
  case lines
  /// Server-sent events: one `data:` per message; a failed call ends with the event `error`.
  case events
  /// One JSON array, which is complete at the end of the call only; a failed call ends with the
  /// element `{"error":…}`.
  case array

  /// Chooses by the caller's `accept` field: the highest quality, then the range that names the
  /// format most exactly. If the field accepts none, one that it does not exclude is sent all the
  /// same, as RFC 9110 allows, because a caller can do more with that than with a refusal.
  init(accept: String?) {
    let field = AcceptField(accept ?? "")
    var best = (format: JSONFormat.lines, preference: field.preference(for: Self.lines.contentType))
    for format in Self.allCases.dropFirst() {
      let preference = field.preference(for: format.contentType)
      if preference > best.preference { best = (format, preference) }
    }
    self = best.format
  }

  /// The field of a feed's messages that is the `id:` of their events, and of its request that is
  /// their `last-event-id`.
  static let cursor = "cursor"

  var contentType: String {
    switch self {
    case .lines: "application/x-ndjson"
    case .events: "text/event-stream"
    case .array: "application/json"
    }
  }
}

/// The media ranges of an `accept` field. Source: RFC 9110, section 12.5.1.
struct AcceptField: Sendable {
  /// How much a caller wants a media type.
  struct Preference: Sendable, Hashable, Comparable {
    /// The quality in thousandths; 0 if no range has the type, -1 if the caller excludes it.
    var quality = 0
    /// How exactly the range names the type: 0 for `*/*`, 1 for `text/*`, 2 for the type itself.
    var precision = 0

    static func < (a: Preference, b: Preference) -> Bool {
      (a.quality, a.precision) < (b.quality, b.precision)
    }
  }

  private struct MediaRange {
    let type: String
    /// In thousandths.
    let quality: Int
  }

  /// The number of ranges that are read, which is more than browsers and libraries send.
  private static let rangesMax = 16
  /// The quality of a range that states none.
  private static let qualityMax = 1_000

  /// The ranges in the caller's order, without malformed ones.
  private let ranges: [MediaRange]

  init(_ text: String) {
    let parts = text.split(separator: ",", maxSplits: Self.rangesMax)
    ranges = parts.prefix(Self.rangesMax).compactMap { Self.range($0) }
  }

  /// Returns how much the caller wants a media type. The range that names it most exactly decides.
  func preference(for type: String) -> Preference {
    let main = type.prefix { $0 != "/" }
    for (precision, name) in [(2, type), (1, "\(main)/*"), (0, "*/*")] {
      guard let range = ranges.first(where: { $0.type == name }) else { continue }
      return Preference(quality: range.quality == 0 ? -1 : range.quality, precision: precision)
    }
    return Preference()
  }

  /// Reads one range; nil if it is malformed. Parameters other than the quality, such as a charset,
  /// make no difference.
  private static func range(_ part: Substring) -> MediaRange? {
    let plain = part.lowercased().filter { $0 != " " && $0 != "\t" }
    let words = plain.split(separator: ";")
    guard let type = words.first else { return nil }
    // The other name of the type under which lines are sent.
    let name = type == "application/jsonl" ? JSONFormat.lines.contentType : String(type)
    guard let stated = words.dropFirst().first(where: { $0.hasPrefix("q=") }) else {
      return MediaRange(type: name, quality: qualityMax)
    }
    return thousandths(stated.dropFirst(2)).map { MediaRange(type: name, quality: $0) }
  }

  /// Reads a quality, 0 to 1 with three decimals at most; nil if it is malformed.
  private static func thousandths(_ text: Substring) -> Int? {
    let bytes = Array(text.utf8)
    guard (1...5).contains(bytes.count), bytes.count == 1 || bytes[1] == UInt8(ascii: ".") else {
      return nil
    }
    var value = 0
    for place in [0, 2, 3, 4] {
      let digit = place < bytes.count ? Int(bytes[place]) - Int(UInt8(ascii: "0")) : 0
      guard (0...9).contains(digit) else { return nil }
      value = value * 10 + digit
    }
    return value <= qualityMax ? value : nil
  }
}
