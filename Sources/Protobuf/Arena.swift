internal import CProtobufC
internal import Glibc

/// A bump allocator for one decoding or encoding at a time, with a budget in bytes. It serves as
/// the allocator of libprotobuf-c.
///
/// Each thread has one. Its first chunk stays between uses, so the steady state costs no
/// allocation. Uses nest: each releases what it took. Never held across a suspension point.
@safe
struct Arena {
  /// The size of a thread's first chunk in bytes: most messages of a service fit.
  private static let chunkBytesInitial = 64 << 10
  /// The largest chunk that a thread keeps, in bytes: what a page of a list needs, not what a bomb
  /// asks for.
  private static let chunkBytesKeptMax = 1 << 20
  /// The alignment of all allocations: that of pointers and 64-bit numbers.
  private static let alignment = 8

  @unsafe
  struct State {
    var cursor: UnsafeMutableRawPointer
    var end: UnsafeMutableRawPointer
    /// Bytes that may still be taken.
    var budget: Int
    /// The current chunk; its first words link to the previous one.
    var chunk: UnsafeMutablePointer<Chunk>
    /// The allocator for libprotobuf-c.
    var allocator: ProtobufCAllocator
  }

  @unsafe
  struct Chunk {
    var previous: UnsafeMutablePointer<Chunk>?
    var byteCount: Int
  }

  /// The start of a use.
  @safe
  struct Mark {
    fileprivate let cursor: UnsafeMutableRawPointer
    fileprivate let chunk: UnsafeMutablePointer<Chunk>
    fileprivate let budget: Int
  }

  /// Owned by the thread that made it, freed when the thread ends.
  let state: UnsafeMutablePointer<State>

  /// The arena of the calling thread.
  static var current: Arena {
    if let known = unsafe pthread_getspecific(threadKey) {
      return unsafe Arena(state: known.assumingMemoryBound(to: State.self))
    }
    let arena = Arena()
    unsafe pthread_setspecific(threadKey, arena.state)
    return arena
  }

  /// The key of a thread's arena, which is freed when the thread ends.
  private static let threadKey: pthread_key_t = {
    var key = pthread_key_t()
    let status = unsafe pthread_key_create(&key) { value in
      guard let value = unsafe value else { return }
      unsafe Arena(state: value.assumingMemoryBound(to: State.self)).destroy()
    }
    precondition(status == 0, "no thread-specific key left: \(status)")
    return key
  }()

  private init(state: UnsafeMutablePointer<State>) { unsafe self.state = unsafe state }

  private init() {
    // The state outlives this value: the thread's destructor frees it.
    unsafe state = UnsafeMutablePointer<State>.allocate(capacity: 1)
    let chunk = unsafe Arena.makeChunk(Arena.chunkBytesInitial, after: nil)
    unsafe state.initialize(
      to: State(
        cursor: Arena.start(of: chunk), end: Arena.end(of: chunk), budget: 0, chunk: chunk,
        allocator: ProtobufCAllocator(
          alloc: { data, size in
            guard let data = unsafe data else { return nil }
            return unsafe Arena(state: data.assumingMemoryBound(to: State.self)).take(size)
          },
          // Nothing is freed by itself: `release` frees everything.
          free: { _, _ in }, allocator_data: state)))
  }

  private func destroy() {
    var chunk: UnsafeMutablePointer<Chunk>? = unsafe state.pointee.chunk
    while let each = unsafe chunk {
      unsafe chunk = each.pointee.previous
      unsafe free(each)
    }
    unsafe state.deinitialize(count: 1)
    unsafe state.deallocate()
  }

  /// Starts a use that may take `budget` bytes.
  func begin(budget: Int) -> Mark {
    let mark = unsafe Mark(
      cursor: state.pointee.cursor, chunk: state.pointee.chunk, budget: state.pointee.budget)
    unsafe state.pointee.budget = budget
    return mark
  }

  /// Frees everything taken since `mark`.
  func release(_ mark: Mark) {
    unsafe state.pointee.cursor = mark.cursor
    unsafe state.pointee.budget = mark.budget
    if unsafe state.pointee.chunk != mark.chunk { dropChunks(after: mark) }
  }

  /// Returns `byteCount` bytes of uninitialized memory, aligned for any field of a message; nil
  /// beyond the budget. It is valid until the use's `release`.
  func take(_ byteCount: Int) -> UnsafeMutableRawPointer? {
    let rounded = (byteCount &+ (Arena.alignment - 1)) & ~(Arena.alignment - 1)
    guard byteCount >= 0, unsafe rounded <= state.pointee.budget else { return nil }
    unsafe state.pointee.budget &-= rounded
    let place = unsafe state.pointee.cursor
    if unsafe rounded <= state.pointee.end - place {
      unsafe state.pointee.cursor = place + rounded
      return unsafe place
    }
    return unsafe takeFromNewChunk(rounded)
  }

  private func takeFromNewChunk(_ byteCount: Int) -> UnsafeMutableRawPointer {
    let last = unsafe state.pointee.chunk
    let doubled = unsafe min(2 * last.pointee.byteCount, 4 * Arena.chunkBytesKeptMax)
    let chunk = unsafe Arena.makeChunk(
      max(doubled, byteCount + MemoryLayout<Chunk>.size), after: last)
    unsafe state.pointee.chunk = chunk
    unsafe state.pointee.end = Arena.end(of: chunk)
    unsafe state.pointee.cursor = Arena.start(of: chunk) + byteCount
    return unsafe Arena.start(of: chunk)
  }

  private func dropChunks(after mark: Mark) {
    var total = 0
    var chunk = unsafe state.pointee.chunk
    while unsafe chunk != mark.chunk, let previous = unsafe chunk.pointee.previous {
      unsafe total += chunk.pointee.byteCount
      unsafe free(chunk)
      unsafe chunk = previous
    }
    unsafe state.pointee.chunk = chunk
    unsafe state.pointee.end = Arena.end(of: chunk)
    // Next time one chunk suffices. Only after the outermost use: then nothing points to it.
    let isOutermost = unsafe chunk.pointee.previous == nil && mark.cursor == Arena.start(of: chunk)
    let wanted = unsafe total + chunk.pointee.byteCount
    guard isOutermost, wanted <= Arena.chunkBytesKeptMax else { return }
    unsafe free(chunk)
    let larger = unsafe Arena.makeChunk(wanted, after: nil)
    unsafe state.pointee.chunk = larger
    unsafe state.pointee.end = Arena.end(of: larger)
    unsafe state.pointee.cursor = Arena.start(of: larger)
  }
}

extension Arena {
  private static func makeChunk(
    _ byteCount: Int, after previous: UnsafeMutablePointer<Chunk>?
  ) -> UnsafeMutablePointer<Chunk> {
    guard let memory = unsafe malloc(byteCount) else { preconditionFailure("out of memory") }
    let chunk = unsafe memory.bindMemory(to: Chunk.self, capacity: 1)
    unsafe chunk.initialize(to: Chunk(previous: previous, byteCount: byteCount))
    return unsafe chunk
  }

  private static func start(of chunk: UnsafeMutablePointer<Chunk>) -> UnsafeMutableRawPointer {
    unsafe UnsafeMutableRawPointer(chunk + 1)
  }

  private static func end(of chunk: UnsafeMutablePointer<Chunk>) -> UnsafeMutableRawPointer {
    unsafe UnsafeMutableRawPointer(chunk) + chunk.pointee.byteCount
  }
}
