import ArgumentParser
import Foundation
import GatewayV1
import GoogleType
import Protobuf
import ServiceKit

struct PartnerLimits: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "limits",
    abstract: "Show or set what a partner may do: rate, calls at the same time, calls a day.",
    discussion: """
      Without options it shows the partner's own limits. With some it sets them for the methods \
      that --method names, or for all others; what is not given is said by the gateway's \
      configuration, and 0 is no limit. --clear forgets the partner's own limits of those methods \
      first, or alone.
      Examples:
        yijia partners limits partners/ID --calls-per-second 50 --burst 100 --reason "trial"
        yijia partners limits partners/ID --calls-per-day 10000 --reason "contract 3" \
      --method /yijia.members.v1.MembersService/SubmitEnrollment
      """)

  @OptionGroup var connection: ConnectionOptions
  @Argument(help: "The partner: partners/ID or ID.") var partner: String
  @Option(help: "Path of a method; may be repeated. [default: all that no other entry names]")
  var method: [String] = []
  @Option(help: "Calls of one method a second, sustained.") var callsPerSecond: Double?
  @Option(help: "Calls at once after a pause; goes with --calls-per-second.") var burst: Int32?
  @Option(help: "Calls of one method that run at the same time.") var streams: Int32?
  @Option(help: "The longest message of a request, in bytes.") var messageBytes: Int32?
  @Option(help: "Calls of one method a day.") var callsPerDay: Int64?
  @Flag(help: "Forget the limits of those methods.") var clear = false
  @Option(help: "Why, for the audit log; needed with a change.") var reason: String?

  private var entry: PartnerLimit? {
    var limit = PartnerLimit()
    limit.methods = method.sorted()
    let empty = limit
    limit.callsPerSecond = callsPerSecond
    limit.burst = burst
    limit.streamsMax = streams
    limit.messageBytesMax = messageBytes
    limit.callsPerDay = callsPerDay
    return limit == empty ? nil : limit
  }

  func validate() throws {
    if entry != nil || clear, reason == nil {
      throw ValidationError("--reason: a change says why, for the audit log")
    }
  }

  func run() async throws {
    try await connection.with(.staff) { client in
      var read = GetPartnerRequest()
      read.name = Partners.name(partner)
      var known = try await client.accounts.getPartner(read, options: client.options).partner
      if entry != nil || clear {
        var request = SetPartnerLimitsRequest()
        request.requestID = UUID().uuidString
        request.name = read.name
        request.etag = known?.etag ?? ""
        request.reason = reason ?? ""
        request.limits = changed(known?.limits ?? [])
        known =
          try await client.accounts.setPartnerLimits(request, options: client.options).partner
      }
      for limit in known?.limits ?? [] { Terminal.say(Self.text(limit)) }
      if known?.limits.isEmpty ?? true {
        Terminal.note("No limits of its own: those of the gateway's configuration hold.")
      }
    }
  }

  /// Returns the limits with the entry for the same methods replaced or removed.
  private func changed(_ limits: [PartnerLimit]) -> [PartnerLimit] {
    let methods = Set(method)
    var rest: [PartnerLimit] = []
    var mine = PartnerLimit()
    mine.methods = method.sorted()
    for limit in limits {
      if Set(limit.methods) == methods { mine = clear ? mine : limit } else { rest.append(limit) }
    }
    guard let entry else { return rest }
    mine.callsPerSecond = entry.callsPerSecond ?? mine.callsPerSecond
    mine.burst = entry.burst ?? mine.burst
    mine.streamsMax = entry.streamsMax ?? mine.streamsMax
    mine.messageBytesMax = entry.messageBytesMax ?? mine.messageBytesMax
    mine.callsPerDay = entry.callsPerDay ?? mine.callsPerDay
    return rest + [mine]
  }

  private static func text(_ limit: PartnerLimit) -> String {
    let said = [
      limit.callsPerSecond.map { "\($0) calls/s" }, limit.burst.map { "burst \($0)" },
      limit.streamsMax.map { "\($0) streams" }, limit.messageBytesMax.map { "\($0) bytes" },
      limit.callsPerDay.map { "\($0) calls/day" },
    ].compactMap { $0 }
    let methods = limit.methods.isEmpty ? "all others" : limit.methods.joined(separator: " ")
    return "\(methods)  \(said.joined(separator: ", "))"
  }
}

struct PartnerUsage: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "usage",
    abstract: "Show what a partner took of its daily quotas.",
    discussion: "Example: yijia partners usage partners/ID --date 2026-11-21")

  @OptionGroup var connection: ConnectionOptions
  @Argument(help: "The partner: partners/ID or ID; of the configuration too.") var partner: String
  @Option(help: "The day, as 2026-11-21; 35 are kept. [default: today]", transform: Arguments.day)
  var date: GoogleType.Date?

  func run() async throws {
    try await connection.with(.staff) { client in
      var request = GetUsageRequest()
      request.name = Partners.name(partner)
      request.date = date
      let usage = try await client.accounts.getUsage(request, options: client.options)
      var table = Table(
        dayText(usage.date),
        [("Method", .left), ("Calls taken", .right), ("A day", .right)])
      for method in usage.methods {
        table.add(
          method.method, "\(method.callsTaken)",
          method.callsPerDay == 0 ? "–" : "\(method.callsPerDay)")
      }
      Terminal.say(table.text)
    }
  }
}
