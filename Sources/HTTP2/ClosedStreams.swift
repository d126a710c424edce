/// Remembers how the last streams of a connection ended, for frames that arrive after the end.
///
/// A ring buffer of fixed size. A pure value.
struct ClosedStreams {
  /// The number of streams remembered. Frames in transit when a stream is reset arrive within a
  /// round trip; on a busy link this many streams may end in that time.
  static let countMax = 256

  private struct Entry {
    var id: Int32
    var state: FrameGuard.StreamState
  }

  private var entries: [Entry] = []
  private var next = 0
  private var forgottenMax: Int32 = 0

  mutating func append(_ id: Int32, _ state: FrameGuard.StreamState) {
    let entry = Entry(id: id, state: state)
    if entries.count < Self.countMax {
      entries.append(entry)
    } else {
      forgottenMax = max(forgottenMax, entries[next].id)
      entries[next] = entry
      next = next + 1 == Self.countMax ? 0 : next + 1
    }
  }

  /// Returns the state of a stream that is not open and not above all opened ones.
  func state(of id: Int32) -> FrameGuard.StreamState {
    if let entry = entries.last(where: { $0.id == id }) { return entry.state }
    return id > forgottenMax ? .neverUsed : .forgotten
  }
}
