/// Limits of single calls. Each has a default that suits a public edge.
public struct CallLimits: Sendable, Hashable {
  /// The largest message that is received: 4 MiB, gRPC's usual default.
  public var messageBytesMax = 4 << 20

  public init() {}
}
