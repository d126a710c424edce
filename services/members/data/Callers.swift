import MembersV1

/// Concurrent callers that share connections; each makes one call at a time.
struct Callers {
  let clients: [MembersServiceClient]
  let callers: Int

  /// The results of a measurement.
  struct Figures {
    let perSecond: Double
    let times: [Duration]

    /// Prints one line per figure: `NAME-rate` per second, `NAME-p50` and `NAME-p99` in µs.
    func tell(_ name: String) {
      let sorted = times.sorted()
      report("\(name)-rate", perSecond)
      report("\(name)-p50", sorted[sorted.count / 2] / .microseconds(1))
      report("\(name)-p99", sorted[sorted.count * 99 / 100] / .microseconds(1))
    }
  }

  /// Makes a number of calls, divided equally among the callers.
  ///
  /// - Parameter call: Makes the call with a given number and returns its latency.
  func run(
    _ calls: Int, _ call: @escaping @Sendable (Int, MembersServiceClient) async throws -> Duration
  ) async throws -> Figures {
    let share = calls / callers
    let start = ContinuousClock.now
    let times = try await withThrowingTaskGroup(of: [Duration].self) { group in
      for caller in 0..<callers {
        let client = clients[caller % clients.count]
        group.addTask {
          var times: [Duration] = []
          times.reserveCapacity(share)
          for index in caller * share..<(caller + 1) * share {
            times.append(try await call(index, client))
          }
          return times
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    return Figures(perSecond: Double(times.count) / seconds, times: times)
  }
}
