internal import RPC
internal import Synchronization

/// The memory of requests over all connections of a server, which is limited beside that of each
/// connection: a hundred of them could hold a hundred times as much. Counted are messages that are
/// not whole, and whole single requests until their calls have ended.
///
/// One half is for whoever comes first, the other for connections that hold little. A few clients
/// that send beginnings of messages, and never their ends, thus leave the others room.
///
/// Safe to use from any thread. A connection counts what it holds in steps, so that most messages
/// cost nothing here.
final class HeldMemory: Sendable {
  /// The bytes of a step. A connection that holds less is not counted, nor refused.
  static let stepBytes = 64 << 10

  private let steps = Atomic<Int>(0)
  private let stepsMax: Int

  init(bytesMax: Int) { stepsMax = bytesMax / Self.stepBytes }

  /// The bytes that are held, to the step.
  var bytes: Int { steps.load(ordering: .relaxed) * Self.stepBytes }

  /// Whether a connection that holds little, or any other one, gets no more.
  func isFull(forLittle: Bool) -> Bool {
    steps.load(ordering: .relaxed) > (forLittle ? stepsMax : stepsMax / 2)
  }

  func add(_ more: Int) { steps.add(more, ordering: .relaxed) }
}

/// The part of one connection. Confined to its loop.
struct HeldShare: ~Copyable {
  /// The bytes of requests that the connection buffers.
  private(set) var bytes = 0
  /// The steps of them that `all` counts.
  private var steps = 0
  /// What all connections of the server hold; nil for a client's.
  private let all: HeldMemory?
  private let bytesMax: Int
  /// The steps that are little.
  private let littleStepsMax: Int

  init(of all: HeldMemory?, limits: ConnectionLimits) {
    self.all = all
    bytesMax = limits.heldBytesMax
    littleStepsMax = limits.littleHeldBytesMax / HeldMemory.stepBytes
  }

  /// Adds bytes, or gives them back if `more` is negative. What is refused is added all the same:
  /// the call that asked gives it back when it ends.
  mutating func add(_ more: Int) -> HeldVerdict {
    bytes += more
    // A client has room for the responses it has asked for.
    guard let all else { return .granted }
    let now = bytes / HeldMemory.stepBytes
    if now != steps {
      all.add(now - steps)
      steps = now
    }
    guard more > 0 else { return .granted }
    guard bytes <= bytesMax else { return .connectionIsFull }
    guard now > 0, all.isFull(forLittle: now <= littleStepsMax) else { return .granted }
    return .serverIsFull(bytes: all.bytes, ownBytes: bytes)
  }
}
