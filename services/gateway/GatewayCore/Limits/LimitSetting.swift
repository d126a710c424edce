import ServiceKit

/// Limits of a partner for some methods. A field that is left out is stated by another entry, or
/// unlimited; 0 means no limit.
public struct LimitSetting: Codable, Sendable, Hashable {
  /// Paths of the methods; empty for all that no other entry names.
  public var methods: [String]
  /// Sustained calls per second of each method; 0.001 to 1,000,000, or 0.
  public var callsPerSecond: Double?
  /// Burst size of each method; 1 to 1,000,000. Two seconds' worth of calls by default.
  public var burst: Int?
  /// Concurrent calls of each method; 1 to 1,000,000, or 0.
  public var streamsMax: Int?
  /// The longest request message, in bytes, if that is less than the gateway's; or 0.
  public var messageBytesMax: Int?
  /// Daily quota of each method, over all gateways of a store; 1 to 1,000,000,000, or 0.
  public var callsPerDay: Int?

  enum CodingKeys: String, CodingKey {
    case methods, burst
    case callsPerSecond = "calls_per_second"
    case streamsMax = "streams_max"
    case messageBytesMax = "message_bytes_max"
    case callsPerDay = "calls_per_day"
  }

  public init(
    methods: [String] = [], callsPerSecond: Double? = nil, burst: Int? = nil,
    streamsMax: Int? = nil, messageBytesMax: Int? = nil, callsPerDay: Int? = nil
  ) {
    self.methods = methods
    self.callsPerSecond = callsPerSecond
    self.burst = burst
    self.streamsMax = streamsMax
    self.messageBytesMax = messageBytesMax
    self.callsPerDay = callsPerDay
  }

  /// Every field is optional.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    methods = try values.decodeIfPresent([String].self, forKey: .methods) ?? []
    callsPerSecond = try values.decodeIfPresent(Double.self, forKey: .callsPerSecond)
    burst = try values.decodeIfPresent(Int.self, forKey: .burst)
    streamsMax = try values.decodeIfPresent(Int.self, forKey: .streamsMax)
    messageBytesMax = try values.decodeIfPresent(Int.self, forKey: .messageBytesMax)
    callsPerDay = try values.decodeIfPresent(Int.self, forKey: .callsPerDay)
  }

  /// Returns what is wrong with the entries; `field` is their name in the messages.
  ///
  /// - Parameter knows: Whether limits may name the path.
  static func faults(
    _ settings: [LimitSetting], at field: String, knows: (String) -> Bool
  ) -> [String] {
    var wrong: [String] = []
    var named: Set<String> = []
    for (index, setting) in settings.enumerated() {
      let here = "\(field)[\(index)]"
      for path in setting.methods {
        if !knows(path) { wrong.append("\(here).methods: there is no \(path)") }
        if !named.insert(path).inserted { wrong.append("\(here).methods: \(path) is stated twice") }
      }
      if setting.methods.isEmpty, !named.insert("").inserted {
        wrong.append("\(here): another entry is for all methods already")
      }
      if let rate = setting.callsPerSecond, rate != 0, !(0.001...1_000_000).contains(rate) {
        wrong.append("\(here).calls_per_second: 0.001 to 1000000, or 0 for no limit")
      }
      if let burst = setting.burst {
        if !(1...1_000_000).contains(burst) { wrong.append("\(here).burst: 1 to 1000000") }
        if setting.callsPerSecond == nil {
          wrong.append("\(here).burst: it goes with calls_per_second")
        }
      }
      if let most = setting.streamsMax, !(0...1_000_000).contains(most) {
        wrong.append("\(here).streams_max: 1 to 1000000, or 0 for no limit")
      }
      if let most = setting.messageBytesMax, most < 0 {
        wrong.append("\(here).message_bytes_max: at least 1, or 0 for the gateway's")
      }
      if let most = setting.callsPerDay, !(0...1_000_000_000).contains(most) {
        wrong.append("\(here).calls_per_day: 1 to 1000000000, or 0 for no limit")
      }
    }
    return wrong
  }
}

/// The effective limits of one partner and method; nil fields are unlimited.
struct MethodLimits: Sendable, Hashable {
  var rate: RateBucket?
  var streamsMax: Int?
  var messageBytesMax: Int?
  var callsPerDay: Int?

  /// No limits.
  static let none = MethodLimits()

  init() {}

  /// Resolves the limits. Each field is taken from the first entry that states it, in this order:
  /// the partner's entry that names the method, the partner's entry for all methods, the default
  /// that names the method, the default for all methods.
  init(of path: String, own: [LimitSetting], defaults: [LimitSetting]) {
    let order = [own, defaults].flatMap { settings in
      settings.filter { $0.methods.contains(path) } + settings.filter { $0.methods.isEmpty }
    }
    if let setting = order.first(where: { $0.callsPerSecond != nil }),
      let rate = setting.callsPerSecond, rate > 0
    {
      rateLimit(rate, burst: setting.burst)
    }
    streamsMax = order.lazy.compactMap(\.streamsMax).first.flatMap { $0 > 0 ? $0 : nil }
    messageBytesMax = order.lazy.compactMap(\.messageBytesMax).first.flatMap { $0 > 0 ? $0 : nil }
    callsPerDay = order.lazy.compactMap(\.callsPerDay).first.flatMap { $0 > 0 ? $0 : nil }
  }

  private mutating func rateLimit(_ rate: Double, burst: Int?) {
    self.rate = RateBucket(callsPerSecond: rate, burst: burst ?? Int((2 * rate).rounded(.up)))
  }
}
