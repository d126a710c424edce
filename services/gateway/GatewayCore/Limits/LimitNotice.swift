import RPC

/// What an answer tells of a limit, in header fields that any HTTP client can read.
///
/// Source: draft-ietf-httpapi-ratelimit-headers-08: `ratelimit-policy` states the limit (`q` in
/// the window `w`, seconds), `ratelimit` what is left (`r`) and in how many seconds there is more
/// (`t`).
public struct LimitNotice: Sendable, Hashable {
  /// Name of the policy: `rate`, `streams`, `day`.
  let policy: String
  /// What it allows, in the window.
  let quota: Int64
  /// In seconds; nil where the limit is of what happens at the same time.
  let window: Int64?
  let left: Int64
  /// Until there is more.
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
  /// In whole seconds, rounded up.
  fileprivate var wholeSeconds: Int64 { components.seconds + (components.attoseconds > 0 ? 1 : 0) }
}
