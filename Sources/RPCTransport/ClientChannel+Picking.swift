import NIOCore
import RPC
import Synchronization

extension ClientChannel {
  /// The result of a pick.
  enum Picked {
    case lane(Lane)
    case wait(version: UInt64)
    case fail(RPCError)
  }

  /// The work that follows from a pick or a change, done without the channel's lock.
  struct Work {
    var connect: [Subchannel] = []
    /// The targets whose names are to be resolved.
    var resolve: [Int] = []
    var release: [Subchannel] = []

    var isEmpty: Bool { connect.isEmpty && resolve.isEmpty && release.isEmpty }
  }
}

extension ClientChannel.State {
  typealias Work = ClientChannel.Work

  /// Picks a backend for a call, or returns whether the call waits or fails.
  /// - Parameter loop: The loop that the call is made on, if loops have connections of their own.
  mutating func pick(
    _ configuration: ClientConfiguration, _ options: ExchangeOptions, on loop: LoopExecutor?
  ) -> (ClientChannel.Picked, Work) {
    if isStopped { return (.fail(RPCError(.unavailable, "the channel is shut down")), Work()) }
    if let (lane, work, isCrowded) = pickLane(configuration, options, on: loop) {
      return (isCrowded ? .wait(version: version) : .lane(lane), work)
    }
    var work = Work()
    for index in names.indices where names[index].apply(.wanted) == .resolve {
      work.resolve.append(index)
    }
    let (isPending, wanted) = want(configuration)
    work.connect = wanted.connect
    if options.waitForReady || isPending || names.contains(where: \.isPending) {
      return (.wait(version: version), work)
    }
    let error = subchannels.lazy.compactMap { $0.state.withLock(\.lastError) }.first
    return (.fail(RPCError(.unavailable, error ?? nameError ?? "there is no connection")), work)
  }

  /// Whether there is a backend that calls can be sent to.
  var isActive: Bool { !lanes.isEmpty }

  /// Requests the connections that a call needs, and returns whether it should wait for one.
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

  /// Picks a lane by the policy, preferably one with a free stream. It is crowded if it has none,
  /// but another connection to its backend is under way. A call sent there would have to wait for a
  /// stream of this connection, and the streams of kiosks last for days.
  mutating func pickLane(
    _ configuration: ClientConfiguration, _ options: ExchangeOptions, on loop: LoopExecutor?
  ) -> (lane: ClientChannel.Lane, work: Work, isCrowded: Bool)? {
    let trafficClass =
      configuration.balancing.separatesBulk ? options.trafficClass : .interactive
    let view = ClientChannel.View(
      loop: loop.map { ObjectIdentifier($0) }, trafficClass: trafficClass)
    guard var lanes = views[view] else { return nil }
    if !options.previousBackends.isEmpty { lanes = others(lanes, than: options.previousBackends) }
    let now = warmAt.map { _ in ContinuousClock.now }
    if let now, let warmAt, now >= warmAt { self.warmAt = nil }
    let choice = balancer.pick(configuration.policy, of: lanes.count, random: &random) {
      lanes[$0].facts(at: now, configuration)
    }
    let lane = lanes[choice.index]
    var work = Work()
    // No connection helps where the backend has all the calls that it may: the call is refused.
    if choice.isFull, !lane.connection.isFull { return (lane, work, false) }
    guard choice.isFull || lane.subchannel.fit(trafficClass, on: loop) < Subchannel.fitMax else {
      return (lane, work, false)
    }
    let isComing = wantExtra(
      to: lane.subchannel.address, for: trafficClass, on: loop ?? lane.subchannel.executor, &work)
    return (lane, work, choice.isFull && isComing)
  }

  /// Returns the lanes of other backends, ejected ones if need be; the same ones if there are none.
  ///
  /// A backend that dies takes all its connections with it, but their ends arrive one by one.
  private func others(
    _ lanes: [ClientChannel.Lane], than previous: [BackendID]
  ) -> [ClientChannel.Lane] {
    for candidates in [lanes, ejectedLanes] {
      let others = candidates.filter { !previous.contains(BackendID($0.subchannel.endpoint)) }
      if !others.isEmpty { return others }
    }
    return lanes
  }

  /// Requests another connection to a backend whose streams are all in use, or to which there is
  /// none of the loop and the class. Returns whether one is under way.
  private func wantExtra(
    to address: SocketAddress, for trafficClass: TrafficClass, on loop: LoopExecutor?,
    _ work: inout Work
  ) -> Bool {
    let extras = subchannels.filter {
      $0.executor === loop && $0.trafficClass == trafficClass && $0.address == address
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

  /// Requests connections to all backends. Returns whether a call should wait for one.
  private func wantAll(_ work: inout Work) -> Bool {
    var isPending = false
    for subchannel in subchannels where !subchannel.isExtra {
      subchannel.state.withLock { state in
        if state.machine.apply(.wanted) == .connect { work.connect.append(subchannel) }
        // It may have become usable since the last change, which is then about to be reported.
        if state.isPending || state.usable != nil { isPending = true }
      }
    }
    return isPending
  }

  /// Requests a connection to the first backend that has not failed, and to the next one if that
  /// takes long. Returns whether a call should wait for one.
  private func wantFirst(_ work: inout Work) -> Bool {
    var isPending = false
    for subchannel in subchannels where !subchannel.isExtra {
      let isEnough = subchannel.state.withLock { state in
        if state.machine.apply(.wanted) == .connect { work.connect.append(subchannel) }
        guard state.isPending || state.usable != nil else { return false }
        isPending = true
        return state.attempt == nil || !state.isSlow
      }
      if isEnough { return true }
    }
    return isPending
  }

  /// Returns the connected backends, ejected or not; with pick_first, one backend and all
  /// connections to it.
  func usableSubchannels(_ configuration: ClientConfiguration) -> [(Subchannel, Connection)] {
    if isStopped { return [] }
    let usable = subchannels.compactMap { subchannel in
      subchannel.state.withLock(\.usable).map { (subchannel, $0) }
    }
    guard case .pickFirst = configuration.policy, usable.count > 1 else { return usable }
    // pick_first keeps the backend that it has.
    let chosen = usable.first { one in lanes.contains { $0.connection === one.1 } }
    let address = (chosen ?? usable[0]).0.address
    return usable.filter { $0.0.address == address }
  }

  /// Updates what callers see of the lanes.
  mutating func setViews(_ configuration: ClientConfiguration, _ loops: EventLoops) {
    views = [:]
    guard !lanes.isEmpty else { return }
    let classes: [TrafficClass] =
      configuration.balancing.separatesBulk ? TrafficClass.allCases : [.interactive]
    let callers: [LoopExecutor?] = configuration.hasLoops ? loops.all + [nil] : [nil]
    for trafficClass in classes {
      for loop in callers {
        let view = ClientChannel.View(
          loop: loop.map { ObjectIdentifier($0) }, trafficClass: trafficClass)
        views[view] = lanes(for: trafficClass, on: loop)
      }
    }
  }

  /// Returns those connections to each backend that fit a call best.
  private func lanes(
    for trafficClass: TrafficClass, on loop: LoopExecutor?
  ) -> [ClientChannel.Lane] {
    let fits = lanes.map { $0.subchannel.fit(trafficClass, on: loop) }
    var best: [ObjectIdentifier: Int] = [:]
    for (lane, fit) in zip(lanes, fits) {
      let backend = ObjectIdentifier(lane.subchannel.endpoint)
      best[backend] = max(best[backend] ?? 0, fit)
    }
    return zip(lanes, fits).filter { lane, fit in
      fit == best[ObjectIdentifier(lane.subchannel.endpoint)]
    }.map(\.0)
  }

  /// Returns the work that follows from a change: pick_first releases the backends it has not
  /// chosen.
  func afterChange(_ configuration: ClientConfiguration) -> Work {
    var work = Work()
    guard case .pickFirst = configuration.policy, !isStopped else { return work }
    guard let chosen = lanes.first else {
      // Waiting calls pick again and request the next backend.
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
      case .resolving: all.append(name.isPending ? .connecting : .transientFailure)
      case .failed: all.append(.transientFailure)
      }
    }
    return Connectivity(all)
  }
}

extension Subchannel {
  /// The fit of a connection that is of the call's loop and class.
  static let fitMax = 3

  /// Returns how well it fits a call: the loop counts more than the class.
  func fit(_ trafficClass: TrafficClass, on loop: LoopExecutor?) -> Int {
    (loop == nil || executor === loop ? 2 : 0) + (self.trafficClass == trafficClass ? 1 : 0)
  }
}
