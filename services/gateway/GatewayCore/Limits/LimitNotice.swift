import RPC

/// The state of a limit, as sent in HTTP response fields.
///
/// Source: draft-ietf-httpapi-ratelimit-headers-08: `ratelimit-policy` states the limit (`q` per
/// window of `w` seconds), `ratelimit` what is left (`r`) and the seconds until there is more
/// (`t`).
public struct LimitNotice: Sendable, Hashable {
  /// Name of the policy: `rate`, `streams`, `day`.
  let policy: String
  /// Calls that the policy allows per window.
  let quota: Int64
  /// The window in seconds; nil for a limit of concurrent calls.
  let window: Int64?
  let left: Int64
  /// Time until more calls are allowed.
  let wait: Duration

  static let fieldNames = ["ratelimit-policy", "ratelimit"]

  var fields: HeaderList {
    let unit = window.map { ";w=\($0)" } ?? ";qu=\"concurrent-requests\""
    return [
      "ratelimit-policy": "\"\(policy)\";q=\(quota)\(unit)",
      "ratelimit": "\"\(policy)\";r=\(left);t=\(wait.wholeSeconds)",
    ]
  }
}

extension Duration {
  /// The duration in whole seconds, rounded up.
  fileprivate var wholeSeconds: Int64 { components.seconds + (components.attoseconds > 0 ? 1 : 0) }
}
