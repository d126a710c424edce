import NIOCore
import RPC
import Synchronization

/// Call statistics of one backend address, shared by all connections to it. Safe to use from any
/// thread.
final class Endpoint: Sendable {
  let address: SocketAddress
  /// Calls in flight, including those that wait for a stream.
  let active = Atomic<Int>(0)
  private let failures = Atomic<Int>(0)
  private let failuresMax: Int
  private let isOutlier: @Sendable (Endpoint) -> Void

  /// Creates the statistics of a backend address.
  /// - Parameters:
  ///   - failuresMax: The consecutive failures that make it an outlier.
  ///   - isOutlier: Called each time that many have occurred.
  init(
    _ address: SocketAddress, failuresMax: Int,
    isOutlier: @escaping @Sendable (Endpoint) -> Void
  ) {
    self.address = address
    self.failuresMax = failuresMax
    self.isOutlier = isOutlier
  }

  /// What the end of a call tells of the backend.
  enum Verdict: Sendable, Hashable {
    /// It has answered, if only with an error.
    case answered
    /// It could not answer.
    case failed
  }

  func note(_ verdict: Verdict?) {
    switch verdict {
    case nil: break
    case .answered:
      if failures.load(ordering: .relaxed) != 0 { failures.store(0, ordering: .relaxed) }
    case .failed:
      guard failures.add(1, ordering: .relaxed).newValue >= failuresMax else { return }
      failures.store(0, ordering: .relaxed)
      isOutlier(self)
    }
  }
}

extension Endpoint.Verdict {
  /// Reads the last header list of a response, its head or its trailers; nil if it has no status.
  init?(_ last: HeaderList) {
    let status = last[":status"]
    if let status, status != "200" {
      self = ["502", "503", "504"].contains(status) ? .failed : .answered
      return
    }
    guard let code = last["grpc-status"] else { return nil }
    self = code == "14" ? .failed : .answered
  }
}
