internal import Glibc

/// The zlib states of a thread, created on first use and freed with the thread: at most 600 KiB.
final class ThreadStates {
  var deflaters: [Format: Deflater] = [:]
  var inflater: Inflater?

  /// The states of the calling thread.
  static var current: ThreadStates {
    if let known = unsafe pthread_getspecific(key) {
      return unsafe Unmanaged<ThreadStates>.fromOpaque(known).takeUnretainedValue()
    }
    let made = ThreadStates()
    // The thread's key owns it; the destructor of `key` releases it.
    unsafe pthread_setspecific(key, Unmanaged.passRetained(made).toOpaque())
    return made
  }

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    let status = unsafe pthread_key_create(&key) { value in
      guard let value = unsafe value else { return }
      unsafe Unmanaged<ThreadStates>.fromOpaque(value).release()
    }
    precondition(status == 0, "no thread-specific key left: \(status)")
    return key
  }()
}
