import Glibc

/// Limits the number of connections by the process's limit of open files.
enum Descriptors {
  /// Files that are not connections: listeners, event loops, databases, logs.
  static let kept = 64

  /// Returns the number of connections wanted, or fewer if the limit allows no more; raises the
  /// soft limit as far as it may.
  static func connectionsMax(_ wanted: Int) -> Int {
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0 else { return wanted }
    let needed = rlim_t(clamping: wanted) + rlim_t(kept)
    if limit.rlim_cur < needed, limit.rlim_cur < limit.rlim_max {
      var raised = limit
      raised.rlim_cur = min(needed, limit.rlim_max)
      if setrlimit(resource, &raised) == 0 { limit = raised }
    }
    return connectionsMax(wanted, descriptors: Int(clamping: limit.rlim_cur))
  }

  static func connectionsMax(_ wanted: Int, descriptors: Int) -> Int {
    max(1, min(wanted, descriptors - kept))
  }
}
