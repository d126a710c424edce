import Foundation
import Glibc

/// What the kernel knows of this process, with the names that all Prometheus clients use.
enum ProcessMetrics {
  /// Prometheus's text; without what cannot be read.
  static func text() -> String {
    var text = MetricHelp.line("yijia_build_info")
    text += "# TYPE yijia_build_info gauge\n"
    text += "yijia_build_info{version=\"\(Product.version)\"} 1\n"
    if let stat = fields(of: "/proc/self/stat"), stat.count > 21 {
      // After the command's name: state is field 3, utime 14, stime 15, starttime 22 (proc(5)).
      let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
      let cpu = ((Double(stat[11]) ?? 0) + (Double(stat[12]) ?? 0)) / ticks
      text += metric("process_cpu_seconds_total", "counter", "\(cpu)")
      if let boot = bootTime(), let start = Double(stat[19]) {
        text += metric("process_start_time_seconds", "gauge", "\(boot + start / ticks)")
      }
      if let pages = Int(stat[21]) {
        let bytes = pages * sysconf(Int32(_SC_PAGESIZE))
        text += metric("process_resident_memory_bytes", "gauge", "\(bytes)")
      }
    }
    if let open = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count {
      text += metric("process_open_fds", "gauge", "\(open)")
    }
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
      text += metric("process_max_fds", "gauge", "\(limit.rlim_cur)")
    }
    return text
  }

  private static func metric(_ name: String, _ kind: String, _ value: String) -> String {
    "\(MetricHelp.line(name))# TYPE \(name) \(kind)\n\(name) \(value)\n"
  }

  /// What follows the command's name, which may hold anything.
  private static func fields(of path: String) -> [Substring]? {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8),
      let end = text.lastIndex(of: ")")
    else { return nil }
    return text[text.index(after: end)...].split { $0 == " " || $0 == "\n" }
  }

  /// When the system booted, in seconds since 1970.
  private static func bootTime() -> Double? {
    guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8) else { return nil }
    return text.split(separator: "\n").first { $0.hasPrefix("btime ") }
      .flatMap { Double($0.dropFirst(6)) }
  }
}
