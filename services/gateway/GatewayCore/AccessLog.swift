import RPC
public import ServiceKit
import Synchronization

/// What the access log tells of a call.
struct CallRecord: Sendable {
  /// Longest path that is repeated to anybody, in bytes: it comes from outside.
  private static let pathBytesMax = 200

  let path: String
  /// Of the caller's trace, where it sent one.
  var traceID: TraceID?
  /// In nanoseconds of ``LimitClock/system``.
  private var start: Int64
  var service: String?
  /// Number of the method among those of the contracts.
  var method = 0
  var caller: String?
  /// Nil is OK.
  var code: RPCError.Code?
  /// Of a failure that the gateway made.
  var reason: String?
  /// What of it is the same in every call with its head, where that is known.
  var parts: Parts?

  init(_ head: RequestHead) { self.init(head, path: head.path) }

  /// - Parameter path: Of the method, where the head has another.
  init(_ head: RequestHead, path: String) {
    self.path = path
    traceID =
      head.fields["traceparent"]
      .flatMap { TraceContext(parent: $0, state: nil) }?.traceID
    start = LimitClock.system.nanoseconds
  }

  /// The record of another call with the same head, that has only begun.
  init(like record: CallRecord) {
    self = record
    start = LimitClock.system.nanoseconds
  }

  /// Fields of the line as JSON, each behind a comma.
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

  /// The path as it is told to people.
  var shortPath: String {
    path.utf8.count <= Self.pathBytesMax
      ? path : String(decoding: path.utf8.prefix(Self.pathBytesMax), as: UTF8.self)
  }

  /// Since the head of the call was read, in microseconds.
  var microseconds: Int64 { (LimitClock.system.nanoseconds - start) / 1_000 }
}

/// Writes one line a call when it ends, of a share of the calls: a JSON object.
///
/// Safe to use from any task.
public final class AccessLog: Sendable {
  /// Takes a line, with its end; several tasks may call it at a time.
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
  ///   - clock: The time that lines bear.
  ///   - sink: Where they go.
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

/// Takes an even share of what passes: of every hundred, thirty for 0.3, evenly spread.
final class Sampler: Sendable {
  private static let scale: UInt64 = 1 << 20

  /// What each that passes adds; one is taken whenever the sum passes a multiple of `scale`.
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
