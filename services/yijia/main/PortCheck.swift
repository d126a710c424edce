import Foundation
import ServiceKit

/// Finds out before a suite starts whether its ports are free: a child that cannot listen says so
/// in its log only, and meanwhile somebody else answers on its port.
enum PortCheck {
  /// - Throws: ``ConfigurationError`` naming each port that is taken, by whom, and what to change.
  static func requireFree(_ ports: [SuiteMember: SuitePorts]) throws {
    let taken = SuiteMember.allCases.flatMap { member -> [String] in
      guard let ports = ports[member] else { return [] }
      var wanted = [
        (ports.listen, "--\(member.rawValue)-port"), (ports.admin, "--admin-offset"),
      ]
      if member == .gateway { wanted.append((ports.operations, "--admin-offset")) }
      return wanted.filter { !isFree($0.0) }.map { port, flag in
        "port \(port) is in use\(holder(of: port).map { " (by \($0))" } ?? ""); try \(flag)"
      }
    }
    guard taken.isEmpty else { throw ConfigurationError(taken.joined(separator: "\n")) }
  }

  private static func isFree(_ port: Int) -> Bool {
    let probe = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard probe >= 0 else { return true }
    defer { _ = close(probe) }
    // As servers do: a port whose last connections only linger is free.
    var yes: Int32 = 1
    setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr = in_addr(s_addr: in_addr_t(INADDR_LOOPBACK).bigEndian)
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(probe, $0, size) }
    } == 0 || errno != EADDRINUSE
  }

  /// Returns name and pid of the process that listens on a port, where we may see it. Source:
  /// proc(5): the socket's inode in /proc/net/tcp, and who has it open.
  private static func holder(of port: Int) -> String? {
    let hex = String(format: ":%04X", port)
    // TCP_LISTEN of the kernel's net/tcp_states.h.
    let listening = "0A"
    let lines = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap {
      ((try? String(contentsOfFile: $0, encoding: .utf8)) ?? "").split(separator: "\n")
    }.map { $0.split(separator: " ") }
    let inodes = lines.filter { $0.count > 9 && $0[1].hasSuffix(hex) && $0[3] == listening }
      .map { "socket:[\($0[9])]" }
    let manager = FileManager.default
    for pid in (try? manager.contentsOfDirectory(atPath: "/proc"))?.compactMap(Int.init) ?? [] {
      let folder = "/proc/\(pid)/fd"
      for name in (try? manager.contentsOfDirectory(atPath: folder)) ?? [] {
        let file = try? manager.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")
        guard let file, inodes.contains(file) else { continue }
        let command = (try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)) ?? ""
        return "\(command.trimmingCharacters(in: .newlines)), pid \(pid)"
      }
    }
    return nil
  }
}
