/// Limits of a single call, with defaults that suit a public edge.
public struct CallLimits: Sendable, Hashable {
  /// The largest message received, in bytes: 4 MiB, gRPC's usual default.
  public var messageBytesMax = 4 << 20

  /// Creates the default limits.
  public init() {}
}
