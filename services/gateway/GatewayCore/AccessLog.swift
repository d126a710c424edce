import RPC
public import ServiceKit
import Synchronization

/// The fields of one call's access log entry.
struct CallRecord: Sendable {
  /// Longest path that is logged or sent to a tracing backend, in bytes; callers choose the path.
  private static let pathBytesMax = 200

  let path: String
  /// The trace id of the caller's `traceparent`; nil without one.
  var traceID: TraceID?
  /// When the call began, in nanoseconds of ``LimitClock/system``.
  private var start: Int64
  var service: String?
  /// ``Route/number`` of the method; 0 for an unknown one.
  var method = 0
  var caller: String?
  /// The final status; nil is OK.
  var code: RPCError.Code?
  /// `ErrorInfo.reason` of a failure that the gateway itself returned.
  var reason: String?
  /// Pre-rendered fields that are identical for all calls with one request head; nil if not
  /// rendered.
  var parts: Parts?

  init(_ head: RequestHead) { self.init(head, path: head.path) }

  /// - Parameter path: The method's path, if it differs from `head.path`, as in JSON calls.
  init(_ head: RequestHead, path: String) {
    self.path = path
    traceID = TraceField.id(of: head)
    start = LimitClock.system.nanoseconds
  }

  /// Creates the record of a new call with an identical head; only the start time differs.
  init(like record: CallRecord) {
    self = record
    start = LimitClock.system.nanoseconds
  }

  /// Ends the call with a status, or with what a face has told its caller where the call itself
  /// was OK or given up.
  mutating func end(_ code: RPCError.Code?, unless told: (any Error)?) {
    self.code = code
    guard code == nil || code == .cancelled else { return }
    if let told = told as? any ServiceFailure {
      (self.code, reason) = (told.code, told.reason)
    } else if let told = told as? RPCError, told.code != .unavailable {
      // UNAVAILABLE is the loss of the caller's connection, which was told to nobody.
      self.code = told.code
    }
  }

  /// JSON fields rendered in advance, each preceded by a comma.
  struct Parts: Sendable {
    fileprivate let caller: [UInt8]
    fileprivate let rest: [UInt8]

    init(_ record: CallRecord) {
      var line = JSONLine()
      line.add("caller", record.caller ?? "-")
      caller = line.fields
      line = JSONLine()
      line.add("method", record.shortPath)
      if let service = record.service { line.add("service", service) }
      if let trace = record.traceID { line.add("trace_id", "\(trace)") }
      rest = line.fields
    }
  }

  /// The path, cut to `pathBytesMax`.
  var shortPath: String {
    path.utf8.count <= Self.pathBytesMax
      ? path : String(decoding: path.utf8.prefix(Self.pathBytesMax), as: UTF8.self)
  }

  /// Time since the head was read, in microseconds.
  var microseconds: Int64 { (LimitClock.system.nanoseconds - start) / 1_000 }
}

/// Writes one JSON line for each sampled call when it ends.
///
/// Safe to use from any task.
public final class AccessLog: Sendable {
  /// Receives one line with its line break; may be called concurrently.
  public typealias Sink = @Sendable ([UInt8]) -> Void

  private static let kind = {
    var line = JSONLine()
    line.add("level", "info")
    line.add("log", "yijia-gateway.calls")
    line.add("message", "call")
    return line.fields
  }()

  private let clock: Clock
  private let sink: Sink
  private let time = LineTime()
  private let success: Sampler
  private let failure: Sampler

  /// - Parameters:
  ///   - clock: Source of the lines' timestamps.
  ///   - sink: Receives the lines.
  public init(_ setting: AccessLogSetting, clock: Clock, to sink: @escaping Sink) {
    self.clock = clock
    self.sink = sink
    success = Sampler(share: setting.successShare)
    failure = Sampler(share: setting.failureShare)
  }

  func write(_ record: CallRecord) {
    guard record.code == nil ? success.takes() : failure.takes() else { return }
    let parts = record.parts ?? CallRecord.Parts(record)
    var line = JSONLine()
    line.add("time", time, clock.microseconds)
    line.add(rendered: Self.kind)
    line.add(rendered: parts.caller)
    line.add("code", record.code?.name ?? "OK")
    line.add("duration_us", record.microseconds)
    if let reason = record.reason { line.add("reason", reason) }
    line.add(rendered: parts.rest)
    sink(line.ended())
  }
}

/// Systematic sampler: takes an evenly spread share of the calls, thirty of every hundred for 0.3.
final class Sampler: Sendable {
  private static let scale: UInt64 = 1 << 20

  /// Added to `sum` per call; a call is taken when the sum crosses a multiple of `scale`.
  private let step: UInt64
  private let sum = Atomic<UInt64>(0)

  /// - Parameter share: 0 to 1.
  init(share: Double) {
    step = UInt64((max(0, min(1, share)) * Double(Self.scale)).rounded())
  }

  func takes() -> Bool {
    if step == Self.scale { return true }
    if step == 0 { return false }
    let (old, new) = sum.wrappingAdd(step, ordering: .relaxed)
    return old / Self.scale != new / Self.scale
  }
}
