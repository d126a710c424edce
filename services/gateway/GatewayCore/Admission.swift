import RPC
import ServiceKit

/// The cached result of routing, authenticating and authorizing calls with one request head. Kept
/// with the head (``HeadMemo``), so that repeated calls skip the look-ups.
///
/// It holds for one gateway, so for one configuration. What can end meanwhile is asked each time.
///
/// Guard: mutable state is touched on the loop of the head's connection only.
final class Admission: @unchecked Sendable {
  /// Number of the gateway that found it out, and whose route it is: so a head that is not used any
  /// more keeps no configuration.
  let gateway: UInt64
  unowned let route: Route
  /// Nil where nobody is asked who calls.
  let proven: CallerResolver.Proven?
  /// Of a partner.
  let meter: CallMeter?
  let record: CallRecord
  let metrics: ServerMetrics.Method?
  let tally: CallerMetrics.Tally?
  private var inward: (head: RequestHead, token: SignedHeader?)?

  init(
    _ gateway: UInt64, _ route: Route, _ proven: CallerResolver.Proven?, meter: CallMeter?,
    record: CallRecord, metrics: ServerMetrics.Method?, tally: CallerMetrics.Tally?
  ) {
    self.gateway = gateway
    self.route = route
    self.proven = proven
    self.meter = meter
    self.record = record
    self.metrics = metrics
    self.tally = tally
  }

  /// The head as the service gets it, without what is left of the call's time.
  ///
  /// - Parameter now: Microseconds since 1970.
  /// - Throws: What signing throws.
  func inward(_ head: RequestHead, now: Int64, signer: CallerTokenSigner) throws -> RequestHead {
    if let inward, inward.token.map({ now < $0.renewAt }) ?? true { return inward.head }
    var token: SignedHeader?
    if let proven, let audience = route.backend.audience {
      token = try signer.signedHeader(for: proven.caller, audience: audience)
    }
    var made = InwardHead.make(from: head, token: token?.value)
    made.memo = HeadMemo()
    inward = (made, token)
    return made
  }
}
