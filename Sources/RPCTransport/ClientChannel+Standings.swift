public import RPC
import Synchronization

extension ClientChannel: WatchedChannel {
  /// The state of each known backend address, in the order of the targets.
  public var standings: [BackendStanding] {
    state.withLock { state in
      state.subchannels.filter { !$0.isExtra }.map { subchannel in
        let isEjected =
          state.ejections[ObjectIdentifier(subchannel.endpoint)]?.isEjected ?? false
        return subchannel.state.withLock { $0.standing(subchannel, isEjected: isEjected) }
      }
    }
  }
}

extension Subchannel.State {
  fileprivate func standing(_ subchannel: Subchannel, isEjected: Bool) -> BackendStanding {
    let state: BackendStanding.State =
      switch connectivity {
      case .ready: isEjected ? .ejected : .ready
      case .connecting: .connecting
      case .idle: .idle
      case .transientFailure, .shutdown: machine.phase == .ready ? .notServing : .failing
      }
    return BackendStanding(
      address: "\(HostPort(subchannel.address))", state: state,
      calls: subchannel.endpoint.active.load(ordering: .relaxed), error: lastError)
  }
}
