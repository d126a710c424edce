import RPC
import ServiceKit

/// The cached result of routing, authenticating and authorizing calls with one request head. Kept
/// with the head (``HeadMemo``), so that repeated calls skip the look-ups.
///
/// It is valid for one gateway, and so for one configuration. Whether the credential still holds is
/// checked for every call.
///
/// Guard: mutable state is confined to the event loop of the head's connection.
final class Admission: @unchecked Sendable {
  /// ``Gateway/number`` of the gateway that made it and owns the route. The route is unowned, so
  /// that the memo of an idle connection keeps no replaced configuration alive.
  let gateway: UInt64
  unowned let route: Route
  /// The authenticated caller; nil for an open route.
  let proven: CallerResolver.Proven?
  /// The limits of a partner; nil for other callers.
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

  /// Returns the head as sent to the service, without `grpc-timeout`, which differs between calls.
  /// The head is cached until the caller token in it is due for renewal.
  ///
  /// - Parameter now: Microseconds since 1970.
  /// - Throws: Whatever ``CallerTokenSigner`` throws.
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
