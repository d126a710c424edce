import Foundation
public import GatewayV1
import GoogleProtobuf
import GoogleType
import Protobuf
public import RPC
import ServiceKit
import Storage

extension AccountsService {
  /// Limit entries per partner.
  private static let limitsMax = 100

  /// The Chinese text of a limit that ``LimitSetting`` refuses.
  static func rangeText(of field: String) -> String {
    switch field.split(separator: ".").last {
    case "calls_per_second": "应为 0.001 至 1000000，0 为不限。"
    case "burst": "应为 1 至 1000000，并须同时填写 calls_per_second。"
    case "streams_max": "应为 1 至 1000000，0 为不限。"
    case "message_bytes_max": "应不小于 1，0 为沿用网关的上限。"
    case "calls_per_day": "应为 1 至 1000000000，0 为不限。"
    case "methods": "应为存在的方法，且不得重复。"
    default: "适用于全部方法的限额只能有一项。"
    }
  }

  /// Replaces a partner's own limits.
  public func setPartnerLimits(
    _ request: SetPartnerLimitsRequest, context: ServerContext
  ) async throws -> SetPartnerLimitsResponse {
    var checks = FieldChecks()
    let reason = checks.reason(request.reason)
    if request.etag.isEmpty { checks.fail("etag", "REQUIRED", zh: "必填。", en: "is required.") }
    let limits = request.limits.map(LimitSetting.init)
    if limits.count > Self.limitsMax {
      checks.fail(
        "limits", "TOO_MANY", zh: "不得超过 \(Self.limitsMax) 项。",
        en: "may have \(Self.limitsMax) entries at most.")
    }
    for fault in LimitSetting.faults(limits, at: "limits", knows: configuration.counts) {
      let parts = fault.split(separator: ": ", maxSplits: 1)
      let rest = parts.count == 2 ? parts[1] : ""
      let field = String(parts.first ?? "limits")
      checks.fail(field, "INVALID_LIMIT", zh: Self.rangeText(of: field), en: "\(rest).")
    }
    let change = AccountChange<PartnerStore>(
      requestID: request.requestID, name: request.name, action: "set_partner_limits",
      reason: reason)
    var payload = request
    payload.requestID = ""
    return try await self.change(change, payload, checks, context) { partner, _ in
      try Etag.check(request.etag, partner.version)
      partner.limits = limits
    } reply: { partner in
      var response = SetPartnerLimitsResponse()
      response.partner = partner.message
      return response
    }
  }

  /// Returns what was leased of a partner's daily quotas.
  public func getUsage(
    _ request: GetUsageRequest, context: ServerContext
  ) async throws -> GetUsageResponse {
    _ = try administrator(context)
    var checks = FieldChecks()
    let given = checks.resource(request.name, of: "partners", "name")
    let today = store.quotas.zone.day(at: store.clock.microseconds)
    let asked = Self.day(request.date, today: today, &checks)
    let (id, day) = try checks.finish(given, asked)
    let own = try await ownLimits(of: id)
    let rows = try await store.database.read(QuotaStore.usage(of: "partners/\(id)", day: day))
    var response = GetUsageResponse()
    let date = ChinaDate(daysSinceEpoch: Int(day))
    response.date = GoogleType.Date.with {
      ($0.year, $0.month, $0.day) = (Int32(date.year), Int32(date.month), Int32(date.day))
    }
    response.methods = rows.map { path, calls in
      var usage = MethodUsage()
      usage.method = path
      usage.callsTaken = calls
      let limits = MethodLimits(of: path, own: own, defaults: configuration.limits)
      usage.callsPerDay = Int64(limits.callsPerDay ?? 0)
      return usage
    }
    return response
  }

  /// Converts a date to days since 1970-01-01, which is how every zone counts its days; today where
  /// none is set.
  private static func day(
    _ date: GoogleType.Date?, today: Int64, _ checks: inout FieldChecks
  ) -> Int64? {
    guard let date else { return today }
    guard
      let civil = ChinaDate(year: Int(date.year), month: Int(date.month), day: Int(date.day))
    else {
      checks.fail("date", "INVALID_DATE", zh: "应为公历日期。", en: "must be a date.")
      return nil
    }
    return Int64(civil.daysSinceEpoch)
  }

  private func ownLimits(of id: String) async throws -> [LimitSetting] {
    if let partner = configuration.partners.first(where: { $0.id == id }) { return partner.limits }
    guard let partner = try await store.database.read(PartnerStore.byID(id)) else {
      throw AccountFailure.partnerNotFound
    }
    return partner.limits
  }
}

extension LimitSetting {
  /// Converts from the message of the contract.
  init(_ message: PartnerLimit) {
    self.init(
      methods: message.methods, callsPerSecond: message.callsPerSecond,
      burst: message.burst.map { Int($0) }, streamsMax: message.streamsMax.map { Int($0) },
      messageBytesMax: message.messageBytesMax.map { Int($0) },
      callsPerDay: message.callsPerDay.map { Int($0) })
  }

  /// The message of the contract. Stored values came from there, so they fit.
  var message: PartnerLimit {
    var limit = PartnerLimit()
    limit.methods = methods
    limit.callsPerSecond = callsPerSecond
    limit.burst = burst.map { Int32(clamping: $0) }
    limit.streamsMax = streamsMax.map { Int32(clamping: $0) }
    limit.messageBytesMax = messageBytesMax.map { Int32(clamping: $0) }
    limit.callsPerDay = callsPerDay.map { Int64($0) }
    return limit
  }
}

/// Stored limits: JSON, with the field names of the configuration.
enum LimitList {
  static func text(_ settings: [LimitSetting]) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    // Cannot fail: the settings have numbers and texts only.
    return (try? encoder.encode(settings)).map { String(decoding: $0, as: UTF8.self) } ?? "[]"
  }

  /// - Throws: `DecodingError` where the stored text is invalid.
  static func settings(_ text: String) throws -> [LimitSetting] {
    if text == "[]" { return [] }
    return try JSONDecoder().decode([LimitSetting].self, from: Data(text.utf8))
  }
}
