internal import CNghttp2

/// An allocator for libnghttp2 that keeps small blocks when they are freed: the library allocates
/// about nine for each stream and frees them with it.
///
/// Shared by the sessions of one thread and confined to that thread, as they are.
@safe public final class SessionMemory {
  /// The bytes in front of a block's content that store its capacity.
  private static let headBytes = 16
  /// The smallest capacity; small blocks have one to `sizes` times as many bytes.
  private static let stepBytes = 64
  /// The number of capacities; larger blocks are not kept.
  private static let sizes = 4
  /// Blocks kept of each capacity: those of about a thousand concurrent streams, 4 MB in all at
  /// most.
  private static let keptMax = 4096

  /// A linked list of free blocks.
  @unsafe
  struct FreeList {
    var first: UnsafeMutableRawPointer?
    var count = 0
  }

  // Owned by this object from init to deinit; the library's callbacks get it while sessions live,
  // and each session retains this object.
  private let lists: UnsafeMutablePointer<FreeList>

  /// Creates an empty pool. For sessions of one loop or thread only.
  public init() {
    unsafe lists = .allocate(capacity: Self.sizes + 1)
    unsafe lists.initialize(repeating: FreeList(), count: Self.sizes + 1)
  }

  deinit {
    for size in 1...Self.sizes {
      while let block = unsafe lists[size].first {
        unsafe lists[size].first = block.load(as: UnsafeMutableRawPointer?.self)
        unsafe (block - Self.headBytes).deallocate()
      }
    }
    unsafe lists.deallocate()
  }

  /// Returns the allocation functions with which a session is created.
  func callbacks() -> nghttp2_mem {
    unsafe nghttp2_mem(
      mem_user_data: lists,
      malloc: { size, user in unsafe SessionMemory.take(size, user) },
      free: { block, user in unsafe SessionMemory.give(block, user) },
      calloc: { count, size, user in
        let (total, overflow) = count.multipliedReportingOverflow(by: size)
        guard !overflow, let block = unsafe SessionMemory.take(total, user) else { return nil }
        unsafe block.initializeMemory(as: UInt8.self, repeating: 0, count: total)
        return unsafe block
      },
      realloc: { old, size, user in
        guard let old = unsafe old else { return unsafe SessionMemory.take(size, user) }
        let capacity = unsafe SessionMemory.capacity(old)
        // A large block has exactly the capacity that was requested, and is always reallocated.
        if size <= capacity, capacity <= SessionMemory.sizes * SessionMemory.stepBytes {
          return unsafe old
        }
        guard let block = unsafe SessionMemory.take(size, user) else { return nil }
        unsafe block.copyMemory(from: old, byteCount: min(size, capacity))
        unsafe SessionMemory.give(old, user)
        return unsafe block
      })
  }

  private static func capacity(_ block: UnsafeMutableRawPointer) -> Int {
    unsafe (block - headBytes).load(as: Int.self)
  }

  private static func take(
    _ byteCount: Int, _ user: UnsafeMutableRawPointer?
  ) -> UnsafeMutableRawPointer? {
    guard let lists = unsafe user?.assumingMemoryBound(to: FreeList.self) else { return nil }
    let size = max(1, (byteCount + stepBytes - 1) / stepBytes)
    if size <= sizes, let block = unsafe lists[size].first {
      unsafe lists[size].first = block.load(as: UnsafeMutableRawPointer?.self)
      unsafe lists[size].count -= 1
      return unsafe block
    }
    let capacity = size <= sizes ? size * stepBytes : byteCount
    let place = UnsafeMutableRawPointer.allocate(
      byteCount: headBytes + capacity, alignment: headBytes)
    unsafe place.storeBytes(of: capacity, as: Int.self)
    return unsafe place + headBytes
  }

  private static func give(_ block: UnsafeMutableRawPointer?, _ user: UnsafeMutableRawPointer?) {
    guard let block = unsafe block,
      let lists = unsafe user?.assumingMemoryBound(to: FreeList.self)
    else { return }
    let size = unsafe capacity(block) / stepBytes
    guard unsafe capacity(block) <= sizes * stepBytes, unsafe lists[size].count < keptMax else {
      return unsafe (block - headBytes).deallocate()
    }
    unsafe block.storeBytes(of: lists[size].first, as: UnsafeMutableRawPointer?.self)
    unsafe lists[size].first = unsafe block
    unsafe lists[size].count += 1
  }
}
