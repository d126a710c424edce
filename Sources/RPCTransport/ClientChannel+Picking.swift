import RPC
import Synchronization

extension ClientChannel {
  /// What a look at the backends came to.
  enum Picked {
    case lane(Lane)
    case wait(version: UInt64)
    case fail(RPCError)
  }

  /// What is to be done after a look.
  struct Work {
    var connect: [Subchannel] = []
    /// Targets whose names are to be looked up.
    var resolve: [Int] = []
    var release: [Subchannel] = []

    var isEmpty: Bool { connect.isEmpty && resolve.isEmpty && release.isEmpty }
  }
}

extension ClientChannel.State {
  typealias Work = ClientChannel.Work

  /// Chooses a backend for a call, or says what to do.
  /// - Parameter loop: The one that the call is made on, where loops have their own connections.
  mutating func pick(
    _ configuration: ClientConfiguration, _ waitForReady: Bool, on loop: LoopExecutor?
  ) -> (ClientChannel.Picked, Work) {
    if isStopped { return (.fail(RPCError(.unavailable, "the channel is shut down")), Work()) }
    if let (lane, work, isCrowded) = pickLane(configuration, on: loop) {
      return (isCrowded ? .wait(version: version) : .lane(lane), work)
    }
    var work = Work()
    for index in names.indices where names[index].apply(.wanted) == .resolve {
      work.resolve.append(index)
    }
    let (isPending, wanted) = want(configuration)
    work.connect = wanted.connect
    if waitForReady || isPending || names.contains(where: { $0.phase == .resolving }) {
      return (.wait(version: version), work)
    }
    let error = subchannels.lazy.compactMap { $0.state.withLock(\.lastError) }.first
    return (.fail(RPCError(.unavailable, error ?? nameError ?? "there is no connection")), work)
  }

  /// Whether there is a backend that calls can be sent to.
  var isActive: Bool { !lanes.isEmpty }

  /// What a call wants connected; and whether it should wait for that.
  func want(_ configuration: ClientConfiguration) -> (isPending: Bool, work: Work) {
    var work = Work()
    if isStopped { return (false, work) }
    switch configuration.policy {
    case .pickFirst:
      let isPending = isActive || wantFirst(&work)
      return (isPending, work)
    case .roundRobin, .leastRequest:
      let isPending = wantAll(&work)
      return (isPending, work)
    }
  }

  /// The next backend in turn, by preference one with a free stream. Crowded: it has none, but
  /// another connection to it is coming; a call that went there now would wait for a stream there,
  /// and the streams of kiosks last for days.
  mutating func pickLane(
    _ configuration: ClientConfiguration, on loop: LoopExecutor?
  ) -> (lane: ClientChannel.Lane, work: Work, isCrowded: Bool)? {
    let lanes = loop.flatMap { lanesOfLoop[ObjectIdentifier($0)] } ?? lanes
    guard !lanes.isEmpty else { return nil }
    let now = warmAt.map { _ in ContinuousClock.now }
    if let now, let warmAt, now >= warmAt { self.warmAt = nil }
    let choice = balancer.pick(configuration.policy, of: lanes.count, random: &random) {
      lanes[$0].facts(at: now, configuration)
    }
    let lane = lanes[choice.index]
    var work = Work()
    var isCrowded = false
    if let loop, lane.connection.executor !== loop {
      wantExtra(beside: lane.subchannel, on: loop, &work)
    } else if choice.isFull, configuration.balancing.connectionsMax > 1 {
      isCrowded = wantExtra(beside: lane.subchannel, on: lane.subchannel.executor, &work)
    }
    return (lane, work, isCrowded)
  }

  /// Another connection to a backend whose streams are all in use, or that the loop has none to;
  /// whether one is coming.
  @discardableResult
  private func wantExtra(
    beside full: Subchannel, on loop: LoopExecutor?, _ work: inout Work
  ) -> Bool {
    let extras = subchannels.filter {
      $0.isExtra && $0.executor === loop && $0.address == full.address
    }
    if extras.contains(where: { $0.state.withLock(\.isPending) }) { return true }
    for extra in extras {
      if extra.state.withLock({ $0.machine.apply(.wanted) }) == .connect {
        work.connect.append(extra)
        return true
      }
    }
    return false
  }

  /// Connects all backends; whether a call should wait for one.
  private func wantAll(_ work: inout Work) -> Bool {
    var isPending = false
    for subchannel in subchannels where !subchannel.isExtra {
      subchannel.state.withLock { state in
        if state.machine.apply(.wanted) == .connect { work.connect.append(subchannel) }
        // It may have become usable since the last change: then that comes.
        if state.isPending || state.usable != nil { isPending = true }
      }
    }
    return isPending
  }

  /// Connects the first backend that has not failed; whether a call should wait for one.
  private func wantFirst(_ work: inout Work) -> Bool {
    for subchannel in subchannels where !subchannel.isExtra {
      let isPending = subchannel.state.withLock { state in
        if state.machine.apply(.wanted) == .connect { work.connect.append(subchannel) }
        return state.isPending || state.usable != nil
      }
      if isPending { return true }
    }
    return false
  }

  /// The backends that can be used: of pick_first one, and what is connected beside it.
  func usableSubchannels(_ configuration: ClientConfiguration) -> [(Subchannel, Connection)] {
    if isStopped { return [] }
    let usable = subchannels.compactMap { subchannel in
      subchannel.state.withLock(\.usable).map { (subchannel, $0) }
    }
    guard case .pickFirst = configuration.policy, usable.count > 1 else {
      return admitted(usable, configuration)
    }
    // It sticks to the one it has.
    let chosen = usable.first { one in lanes.contains { $0.connection === one.1 } }
    let address = (chosen ?? usable[0]).0.address
    return usable.filter { $0.0.address == address }
  }

  /// What a loop sees of the lanes: of each backend its own, else those of other loops.
  func lanes(of loop: LoopExecutor) -> [ClientChannel.Lane] {
    let own = Set(
      lanes.lazy.filter { $0.connection.executor === loop }
        .map { ObjectIdentifier($0.subchannel.endpoint) })
    return lanes.filter {
      $0.connection.executor === loop || !own.contains(ObjectIdentifier($0.subchannel.endpoint))
    }
  }

  /// What a change asks for: pick_first goes on to the next backend, or lets the others go.
  func afterChange(_ configuration: ClientConfiguration) -> Work {
    var work = Work()
    guard case .pickFirst = configuration.policy, !isStopped else { return work }
    guard let chosen = lanes.first else {
      // Calls that wait look again and want the next.
      return work
    }
    for subchannel in subchannels where subchannel.address != chosen.subchannel.address {
      if subchannel.state.withLock({ $0.machine.phase != .idle }) {
        work.release.append(subchannel)
      }
    }
    return work
  }

  var connectivity: Connectivity {
    if isStopped { return .shutdown }
    if !lanes.isEmpty { return .ready }
    var all = subchannels.filter { !$0.isExtra }.map { $0.state.withLock(\.connectivity) }
    for name in names {
      switch name.phase {
      case .fixed, .resolved: break
      case .unknown: all.append(.idle)
      case .resolving: all.append(.connecting)
      case .failed: all.append(.transientFailure)
      }
    }
    return Connectivity(all)
  }
}
