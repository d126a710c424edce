import Logging
import NIOCore
import RPC
import Synchronization

// Outlier ejection and slow start.
extension ClientChannel {
  /// Handles a backend with too many consecutive failures.
  func foundOutlier(_ endpoint: Endpoint) {
    guard let settings = configuration.balancing.outlierDetection else { return }
    let action = state.withLock { $0.judge(endpoint, settings, at: .now) }
    guard case .eject(let until) = action else { return }
    logger.warning(
      "a backend is left out: its calls fail", metadata: ["backend": "\(endpoint.address)"])
    _ = loops.next().schedule(after: ContinuousClock.now.duration(to: until)) { [weak self] in
      self?.readmit(endpoint, settings)
    }
    changed()
  }

  private func readmit(_ endpoint: Endpoint, _ settings: OutlierDetection) {
    let action = state.withLock {
      $0.ejections[ObjectIdentifier(endpoint)]?.apply(.look, at: .now, settings)
    }
    guard action == .admit else { return }
    logger.notice(
      "a backend has its calls again", metadata: ["backend": "\(endpoint.address)"])
    changed()
  }
}

extension ClientChannel.State {
  /// Ejects an outlier, unless too many backends are ejected.
  fileprivate mutating func judge(
    _ endpoint: Endpoint, _ settings: OutlierDetection, at now: ContinuousClock.Instant
  ) -> Ejection.Action {
    let known = Set(endpoints)
    ejections = ejections.filter { known.contains($0.key) }
    guard known.contains(ObjectIdentifier(endpoint)) else { return .none }
    let mayEject = settings.mayEject(
      ejected: ejections.values.count(where: \.isEjected), of: known.count)
    return ejections[ObjectIdentifier(endpoint), default: Ejection()]
      .apply(.outlier(mayEject: mayEject), at: now, settings)
  }

  /// All backends, connected or not.
  private var endpoints: [ObjectIdentifier] {
    subchannels.filter { !$0.isExtra }.map { ObjectIdentifier($0.endpoint) }
  }

  /// Divides the lanes into those of backends that are not ejected and the others. If the former
  /// are too few, calls use all.
  private func admitted(
    _ all: [ClientChannel.Lane], _ configuration: ClientConfiguration
  ) -> (lanes: [ClientChannel.Lane], ejected: [ClientChannel.Lane]) {
    guard let settings = configuration.balancing.outlierDetection, !ejections.isEmpty else {
      return (all, [])
    }
    func isEjected(_ lane: ClientChannel.Lane) -> Bool {
      ejections[ObjectIdentifier(lane.subchannel.endpoint)]?.isEjected == true
    }
    let admitted = all.filter { !isEjected($0) }
    let available = Set(admitted.map { ObjectIdentifier($0.subchannel.endpoint) }).count
    let isPanic = settings.isPanic(available: available, of: endpoints.count)
    return isPanic || admitted.isEmpty ? (all, []) : (admitted, all.filter(isEjected))
  }

  /// Updates the lanes that calls can use.
  mutating func setLanes(_ configuration: ClientConfiguration, _ loops: EventLoops) {
    let usable = usableSubchannels(configuration)
    let slowStart = configuration.balancing.slowStart
    // The age of a backend is that of its oldest connection.
    var servingSince: [ObjectIdentifier: ContinuousClock.Instant] = [:]
    if slowStart != nil {
      for (subchannel, _) in usable {
        guard let since = subchannel.state.withLock(\.servingSince) else { continue }
        let backend = ObjectIdentifier(subchannel.endpoint)
        servingSince[backend] = min(servingSince[backend] ?? since, since)
      }
    }
    let all = usable.map { subchannel, connection in
      let backend = ObjectIdentifier(subchannel.endpoint)
      let since = [servingSince[backend], ejections[backend]?.admittedAt].compactMap { $0 }.max()
      let warmAt = slowStart.flatMap { slowStart in since.map { $0 + slowStart.window } }
      return ClientChannel.Lane(
        connection, configuration.authority ?? subchannel.authority, subchannel, warmAt: warmAt)
    }
    (lanes, ejectedLanes) = admitted(all, configuration)
    setViews(configuration, loops)
    warmAt = nil
    guard slowStart != nil else { return }
    // If all backends are new, none gets a reduced share.
    let now = ContinuousClock.now
    guard lanes.contains(where: { $0.warmAt.map { $0 <= now } ?? true }) else { return }
    warmAt = lanes.compactMap(\.warmAt).max().flatMap { $0 > now ? $0 : nil }
  }
}

extension ClientChannel.Lane {
  /// Returns the properties of the lane that the choice of a call depends on.
  /// - Parameter now: Nil if no lane is in slow start.
  func facts(
    at now: ContinuousClock.Instant?, _ configuration: ClientConfiguration
  ) -> Balancer.Facts {
    var facts = Balancer.Facts(
      active: subchannel.endpoint.active.load(ordering: .relaxed), isFull: connection.isFull)
    if facts.active >= configuration.balancing.callsMax { facts.isFull = true }
    if let now, let warmAt, now < warmAt, let slowStart = configuration.balancing.slowStart {
      facts.weight = slowStart.weight(age: slowStart.window - now.duration(to: warmAt))
    }
    return facts
  }
}
