import NIOCore
import RPC
import Synchronization

/// Call statistics of one backend address, shared by all connections to it. Safe to use from any
/// thread.
final class Endpoint: Sendable {
  let address: SocketAddress
  /// Calls under way, or waiting for a stream.
  let active = Atomic<Int>(0)
  private let failures = Atomic<Int>(0)
  private let failuresMax: Int
  private let isOutlier: @Sendable (Endpoint) -> Void

  /// - Parameters:
  ///   - failuresMax: Failures in a row that make it an outlier.
  ///   - isOutlier: Told each time there were so many.
  init(
    _ address: SocketAddress, failuresMax: Int,
    isOutlier: @escaping @Sendable (Endpoint) -> Void
  ) {
    self.address = address
    self.failuresMax = failuresMax
    self.isOutlier = isOutlier
  }

  /// How a call ended, as far as it tells of the backend.
  enum Verdict: Sendable, Hashable {
    /// It was answered, if only with an error.
    case answered
    /// The backend could not answer it.
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
  /// What the head or the trailers of a response say that ended with them.
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
