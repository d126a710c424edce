import Foundation
import ServiceKit
import Storage
import Synchronization

/// Throttles an address that guesses at many accounts. Kept in the memory of one gateway; the
/// limits that must hold exactly are counted in the store, per account.
///
/// Safe to use from any task.
final class SourceThrottle: Sendable {
  /// Failures per address and window. Many people share an address, behind carrier-grade NAT or in
  /// one office: a thousand of them, of whom three in ten mistype, are not delayed. A guesser who
  /// tries many phones with open codes from one address succeeds once in 3,300 windows, 23 days.
  private static let failuresMax = 300
  private static let windowMicroseconds: Int64 = 600_000_000
  /// Addresses that are tracked. At the limit, those that are not throttled are dropped, or all if
  /// none is left to drop.
  private static let sourcesMax = 10_000

  private struct Window {
    var failures = 0
    let endsAt: Int64
  }

  private let windows = Mutex<[String: Window]>([:])

  /// - Throws: ``AccountFailure/signInDelayed(_:)`` where the address is throttled.
  func check(_ source: String, at now: Date) throws(AccountFailure) {
    let time = now.microseconds
    guard let window = windows.withLock({ $0[source] }), window.endsAt > time,
      window.failures >= Self.failuresMax
    else { return }
    throw .signInDelayed(.microseconds(window.endsAt - time))
  }

  func failed(_ source: String, at now: Date) {
    let time = now.microseconds
    windows.withLock { windows in
      if windows.count >= Self.sourcesMax, windows[source] == nil { Self.shrink(&windows, time) }
      var window = windows[source] ?? Window(endsAt: time + Self.windowMicroseconds)
      if window.endsAt <= time { window = Window(endsAt: time + Self.windowMicroseconds) }
      window.failures += 1
      windows[source] = window
    }
  }

  private static func shrink(_ windows: inout [String: Window], _ time: Int64) {
    windows = windows.filter { $0.value.endsAt > time }
    if windows.count < sourcesMax { return }
    windows = windows.filter { $0.value.failures >= failuresMax }
    if windows.count >= sourcesMax { windows.removeAll(keepingCapacity: true) }
  }
}
