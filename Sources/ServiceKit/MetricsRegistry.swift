public import Metrics
import Synchronization

/// The backend of swift-metrics in every service: keeps what is counted and writes it as
/// Prometheus's text. Bootstrapped once at the start (``Observation``).
///
/// A label `grpc.server.call.duration` becomes the name `grpc_server_call_duration_seconds`:
/// timers are histograms in seconds, recorders of sizes histograms in bytes, counters end in
/// `_total`. Handles of one name and labels count together. Safe to use from any thread.
/// Source: Prometheus, "Text-based format", version 0.0.4; OpenTelemetry's naming for Prometheus.
public final class MetricsRegistry: MetricsFactory {
  /// Names with their labels. Labels come from code and contracts, so this holds only what a
  /// mistake would make; beyond it a handle counts for nobody.
  static let seriesMax = 20_000

  fileprivate struct Family {
    let kind: MetricKind
    /// By the labels as text.
    var series: [String: any MetricCell] = [:]
  }

  private struct State {
    var families: [String: Family] = [:]
    var seriesCount = 0
  }

  private let state = Mutex(State())

  /// Creates a registry without series.
  public init() {}

  // MARK: - What swift-metrics asks for

  public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    cell(.counter, "\(Self.name(label))_total", dimensions) { CounterCell() }
  }

  public func makeRecorder(
    label: String, dimensions: [(String, String)], aggregate: Bool
  ) -> any RecorderHandler {
    let name = Self.name(label)
    guard aggregate else { return cell(.gauge, name, dimensions) { GaugeCell() } }
    return cell(.histogram, label.hasSuffix("size") ? "\(name)_bytes" : name, dimensions) {
      HistogramCell(bounds: HistogramCell.byteBounds, unit: 1)
    }
  }

  public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    cell(.histogram, "\(Self.name(label))_seconds", dimensions) {
      HistogramCell(bounds: HistogramCell.secondBounds, unit: 1e-9)
    }
  }

  public func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
  public func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
  public func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

  // MARK: - What is kept

  private func cell<Cell: MetricCell>(
    _ kind: MetricKind, _ name: String, _ dimensions: [(String, String)], _ make: () -> Cell
  ) -> Cell {
    let labels = Self.text(dimensions)
    return state.withLock { state in
      var family = state.families[name] ?? Family(kind: kind)
      if let known = family.series[labels] as? Cell { return known }
      let made = make()
      guard family.kind == kind, family.series[labels] == nil,
        state.seriesCount < Self.seriesMax
      else { return made }
      family.series[labels] = made
      state.families[name] = family
      state.seriesCount += 1
      return made
    }
  }

  private func remove(_ handler: AnyObject) {
    state.withLock { state in
      for (name, family) in state.families {
        guard let labels = family.series.first(where: { $0.value === handler })?.key else {
          continue
        }
        state.families[name]?.series[labels] = nil
        state.seriesCount -= 1
      }
    }
  }

  /// All that is kept, as Prometheus's text.
  public func text() -> String {
    let families = state.withLock { $0.families }
    var text = ""
    for (name, family) in families.sorted(by: { $0.key < $1.key }) where !family.series.isEmpty {
      text += MetricHelp.line(name)
      text += "# TYPE \(name) \(family.kind.rawValue)\n"
      for (labels, cell) in family.series.sorted(by: { $0.key < $1.key }) {
        cell.write(name, labels, to: &text)
      }
    }
    return text
  }

  // MARK: - Names

  /// A name of `[a-zA-Z_:][a-zA-Z0-9_:]*`.
  static func name(_ label: String) -> String {
    let name = String(
      label.unicodeScalars.map { scalar in
        let isAllowed =
          scalar.isASCII && (scalar.properties.isAlphabetic || "_:".contains("\(scalar)"))
        let isDigit = ("0"..."9").contains(scalar)
        return isAllowed || isDigit ? Character(scalar) : "_"
      })
    return name.first.map { $0.isNumber } ?? true ? "_\(name)" : name
  }

  /// `a="x",b="y"`, sorted by name.
  static func text(_ dimensions: [(String, String)]) -> String {
    dimensions.map { label, value in
      let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        .replacing("\n", with: "\\n")
      return "\(name(label).replacing(":", with: "_"))=\"\(escaped)\""
    }
    .sorted().joined(separator: ",")
  }
}

/// As Prometheus names them.
enum MetricKind: String {
  case counter, gauge, histogram
}

/// One name with its labels.
protocol MetricCell: AnyObject, Sendable {
  /// Appends its lines.
  func write(_ name: String, _ labels: String, to text: inout String)
}
