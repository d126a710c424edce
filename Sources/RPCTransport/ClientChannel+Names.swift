import NIOCore
import RPC
import Synchronization

extension ClientChannel {
  /// Resolves the name of a target.
  func resolve(_ index: Int) {
    let target = configuration.targets[index]
    HostResolver.resolve(target) { [weak self] result in self?.resolved(index, result) }
  }

  private func resolved(
    _ index: Int, _ result: Result<[SocketAddress], HostResolver.Failure>
  ) {
    let target = configuration.targets[index]
    // The event loops may be gone too.
    if state.withLock({ $0.isStopped }) { return }
    switch result {
    case .success(let addresses):
      let isFirst = state.withLock { state in
        defer { state.namesResolvedAt[index] = .now }
        _ = state.names[index].apply(.resolved)
        state.nameBackoffs[index].reset()
        state.nameError = nil
        return state.namesResolvedAt[index] == nil
      }
      setAddresses(addresses, of: target)
      // A call needs the name, or new addresses take their share of the calls.
      carryOut(state.withLock { $0.isActive || isFirst ? $0.want(configuration).work : Work() })
    case .failure(let failure):
      let wait = state.withLock { state in
        state.nameError = "\(target): \(failure)"
        _ = state.names[index].apply(.failed)
        return state.nameBackoffs[index].next(random: .random(in: 0..<1))
      }
      _ = loops.next().schedule(after: wait) { [weak self] in
        guard let self else { return }
        let action = self.state.withLock {
          $0.isStopped ? .none : $0.names[index].apply(.waited)
        }
        if action == .resolve { self.resolve(index) }
      }
    }
    changed()
  }

  /// Sets the backends of a target; those that remain keep their connections.
  func setAddresses(_ addresses: [SocketAddress], of target: HostPort) {
    let gone = state.withLock { state in
      if state.isStopped { return [Subchannel]() }
      let known = state.subchannels.filter { $0.target == target }
      var next = addresses.flatMap { address in
        let same = known.filter { $0.address == address }
        return same.isEmpty ? makeSubchannels(target, address) : same
      }
      if case .pickFirst(shuffled: true) = configuration.policy { next.shuffle() }
      // In the order of the targets.
      let all = Dictionary(grouping: state.subchannels.filter { $0.target != target } + next) {
        $0.target
      }
      var seen: Set<HostPort> = []
      state.subchannels = configuration.targets.filter { seen.insert($0).inserted }
        .flatMap { all[$0] ?? [] }
      if case .pickFirst(shuffled: true) = configuration.policy { state.subchannels.shuffle() }
      return known.filter { old in !next.contains { $0 === old } }
    }
    for subchannel in gone { subchannel.stop() }
  }

  private func makeSubchannels(_ target: HostPort, _ address: SocketAddress) -> [Subchannel] {
    let endpoint = Endpoint(
      address,
      failuresMax: configuration.balancing.outlierDetection?.consecutiveGatewayFailure ?? .max
    ) { [weak self] endpoint in
      self?.foundOutlier(endpoint)
    }
    // Begins with the next loop in turn, so that the first connections of all backends are not on
    // one loop.
    let first = loops.next()
    let executors =
      configuration.hasLoops ? [first] + loops.all.filter { $0 !== first } : [nil]
    let classes: [TrafficClass] =
      configuration.balancing.separatesBulk ? [.interactive, .bulk] : [.interactive]
    var made: [Subchannel] = []
    for trafficClass in classes {
      for _ in 0..<max(1, configuration.balancing.connectionsMax) {
        for executor in executors {
          made.append(
            Subchannel(
              target: target, endpoint: endpoint, for: trafficClass, isExtra: !made.isEmpty,
              on: executor, channel: self))
        }
      }
    }
    return made
  }

  /// Resolves a target again after a connection to it failed or was lost: its addresses may have
  /// changed.
  func doubt(_ target: HostPort) {
    let wanted = state.withLock { state in
      configuration.targets.indices.filter { index in
        guard configuration.targets[index] == target, !state.isStopped,
          let last = state.namesResolvedAt[index],
          last.duration(to: .now) >= configuration.resolutionIntervalMin
        else { return false }
        return state.names[index].apply(.doubted) == .resolve
      }
    }
    for index in wanted { resolve(index) }
  }
}
