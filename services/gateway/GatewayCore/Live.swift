import RPC
import Synchronization

/// A value that is replaced as a whole while calls read it. A call reads it once and keeps that
/// version to its end.
///
/// Each loop caches the version it saw last, so that a read costs one atomic load and no lock.
/// Safe to use from any thread.
final class Live<Value: Sendable>: Sendable {
  private final class Version: Sendable {
    let number: UInt64
    let value: Value
    let owner: ObjectIdentifier

    init(_ number: UInt64, _ value: Value, _ owner: ObjectIdentifier) {
      self.number = number
      self.value = value
      self.owner = owner
    }
  }

  private struct State {
    var value: Value
    var number: UInt64 = 1
    /// Loops that may cache a version.
    var readers: [ObjectIdentifier: any ExchangeLoop] = [:]
  }

  private let number = Atomic<UInt64>(1)
  private let state: Mutex<State>

  init(_ value: Value) { state = Mutex(State(value: value)) }

  /// The current value. Safe to use from any thread.
  var value: Value { state.withLock { $0.value } }

  /// Returns the current value. On `loop`.
  func value(on loop: any ExchangeLoop) -> Value {
    assert(loop.isCurrent, "a loop keeps its version for itself")
    let owner = ObjectIdentifier(self)
    if let known = loop.kept as? Version, known.owner == owner,
      known.number == number.load(ordering: .acquiring)
    {
      return known.value
    }
    let version = state.withLock { state in
      state.readers[ObjectIdentifier(loop)] = loop
      return Version(state.number, state.value, owner)
    }
    loop.kept = version
    return version.value
  }

  /// Replaces the value and clears the loops' caches; calls may still hold the old value.
  func replace(with value: Value) {
    let readers = state.withLock { state in
      state.value = value
      state.number += 1
      number.store(state.number, ordering: .releasing)
      defer { state.readers = [:] }
      return Array(state.readers.values)
    }
    for loop in readers { loop.execute { loop.kept = nil } }
  }
}
