import Metrics
import Synchronization

/// A number that only grows.
final class CounterCell: MetricCell, CounterHandler {
  private let value = Atomic<Int64>(0)

  func increment(by amount: Int64) { value.add(amount, ordering: .relaxed) }

  func reset() { value.store(0, ordering: .relaxed) }

  func write(_ name: String, _ labels: String, to text: inout String) {
    text += line(name, labels, "\(value.load(ordering: .relaxed))")
  }
}

/// The latest value.
final class GaugeCell: MetricCell, RecorderHandler {
  private let bits = Atomic<UInt64>(0)

  func record(_ value: Int64) { record(Double(value)) }

  func record(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

  func write(_ name: String, _ labels: String, to text: inout String) {
    text += line(name, labels, number(Double(bitPattern: bits.load(ordering: .relaxed))))
  }
}

/// A histogram with fixed bucket bounds.
final class HistogramCell: MetricCell, TimerHandler, RecorderHandler {
  /// The default bounds of latencies. Source: gRFC A66.
  static let secondBounds: [Double] = [
    0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006,
    0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2,
    0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1, 2, 5, 10, 20, 50, 100,
  ]
  /// The default bounds of sizes. Source: gRFC A66.
  static let byteBounds: [Double] = [
    0, 1024, 2048, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
    268_435_456, 1_073_741_824, 4_294_967_296,
  ]

  private struct State {
    /// One more than bounds: what is above the last.
    var counts: [UInt64]
    var sum = 0.0
  }

  private let bounds: [Double]
  private let unit: Double
  private let state: Mutex<State>

  /// - Parameter unit: what a recorded 1 is in the bounds' unit.
  init(bounds: [Double], unit: Double) {
    self.bounds = bounds
    self.unit = unit
    state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
  }

  func recordNanoseconds(_ duration: Int64) { record(Double(duration)) }

  func record(_ value: Int64) { record(Double(value)) }

  func record(_ value: Double) {
    let value = value * unit
    // The first bound that is not below the value.
    var low = 0
    var high = bounds.count
    while low < high {
      let middle = (low + high) / 2
      if bounds[middle] < value { low = middle + 1 } else { high = middle }
    }
    state.withLock {
      $0.counts[low] += 1
      $0.sum += value
    }
  }

  func write(_ name: String, _ labels: String, to text: inout String) {
    let state = state.withLock { $0 }
    let prefix = labels.isEmpty ? "" : "\(labels),"
    var total: UInt64 = 0
    for (index, count) in state.counts.enumerated() {
      total += count
      let bound = index < bounds.count ? number(bounds[index]) : "+Inf"
      text += line("\(name)_bucket", "\(prefix)le=\"\(bound)\"", "\(total)")
    }
    text += line("\(name)_sum", labels, number(state.sum))
    text += line("\(name)_count", labels, "\(total)")
  }
}

private func line(_ name: String, _ labels: String, _ value: String) -> String {
  labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
}

/// As Go's ParseFloat reads it: whole numbers without a fraction.
private func number(_ value: Double) -> String {
  if value.isNaN { return "NaN" }
  if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
  if let whole = Int64(exactly: value) { return "\(whole)" }
  return "\(value)"
}
