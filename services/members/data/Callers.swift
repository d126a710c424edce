import MembersV1

/// Callers who call one by one, on connections that they share.
struct Callers {
  let clients: [MembersServiceClient]
  let callers: Int

  /// What was measured.
  struct Figures {
    let perSecond: Double
    let times: [Duration]

    /// A line each: `NAME-rate` a second, `NAME-p50` and `NAME-p99` in µs.
    func tell(_ name: String) {
      let sorted = times.sorted()
      report("\(name)-rate", perSecond)
      report("\(name)-p50", sorted[sorted.count / 2] / .microseconds(1))
      report("\(name)-p99", sorted[sorted.count * 99 / 100] / .microseconds(1))
    }
  }

  /// Makes so many calls, an equal share by each caller.
  ///
  /// - Parameter call: Makes the call of a number, and says how long it took.
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
