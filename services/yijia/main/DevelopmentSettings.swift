import ArgumentParser
import Foundation
import ServiceKit

/// Folder and ports of a development suite: from flags, else `YIJIA_*` variables, else defaults.
struct DevelopmentSettings: ParsableArguments {
  @Option(help: "Folder of certificates, keys, data and logs. [YIJIA_DATA; default: .dev]")
  var data: String?

  @Option(help: "Port of the gateway. [YIJIA_GATEWAY_PORT; default: 8443]")
  var gatewayPort: Int?

  @Option(help: "Port of the members service. [YIJIA_MEMBERS_PORT; default: 7101]")
  var membersPort: Int?

  @Option(help: "Port of the stations service. [YIJIA_STATIONS_PORT; default: 7102]")
  var stationsPort: Int?

  @Option(
    help: """
      What is added to each service's port for its admin port, and twice to the gateway's for \
      operators' commands. [YIJIA_ADMIN_OFFSET; default: 1000]
      """)
  var adminOffset: Int?

  @Option(help: "CSV roster that the partner enrolls. [YIJIA_ROSTER; default: the example]")
  var roster: String?

  @Option(help: "CSV tree of organizations. [YIJIA_ORGANIZATIONS; default: the example]")
  var organizations: String?

  var folder: URL {
    URL(filePath: data ?? Self.variable("YIJIA_DATA") ?? ".dev", directoryHint: .isDirectory)
      .absoluteURL.standardized
  }

  var rosterFile: String {
    roster ?? Self.variable("YIJIA_ROSTER") ?? "examples/ceremony-roster.csv"
  }

  var organizationsFile: String {
    organizations ?? Self.variable("YIJIA_ORGANIZATIONS") ?? "examples/organizations.csv"
  }

  /// Returns the ports of each executable.
  func ports() throws -> [SuiteMember: SuitePorts] {
    let offset = try number(adminOffset, "YIJIA_ADMIN_OFFSET", 1_000)
    let bases: [SuiteMember: Int] = [
      .gateway: try number(gatewayPort, "YIJIA_GATEWAY_PORT", 8_443),
      .members: try number(membersPort, "YIJIA_MEMBERS_PORT", 7_101),
      .stations: try number(stationsPort, "YIJIA_STATIONS_PORT", 7_102),
    ]
    let ports = bases.mapValues { SuitePorts(listen: $0, admin: $0 + offset) }
    var all = ports.values.flatMap { [$0.listen, $0.admin] }
    if let gateway = ports[.gateway] { all.append(gateway.operations) }
    guard Set(all).count == all.count, all.allSatisfy({ (1...65_535).contains($0) }) else {
      throw ConfigurationError("ports must differ and be 1 to 65535: \(all.sorted())")
    }
    return ports
  }

  private func number(_ flag: Int?, _ name: String, _ fallback: Int) throws -> Int {
    if let flag { return flag }
    guard let text = Self.variable(name) else { return fallback }
    guard let value = Int(text) else {
      throw ConfigurationError("\(name): \(text) is not a number")
    }
    return value
  }

  private static func variable(_ name: String) -> String? {
    ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }
}

/// The executables that a development suite starts, in their start order.
enum SuiteMember: String, CaseIterable, Sendable {
  case members, stations, gateway

  var executable: String { "yijia-\(rawValue)" }
}

/// The ports of an executable.
struct SuitePorts: Sendable, Hashable {
  let listen: Int
  let admin: Int

  /// Port of the gateway's operators' RPCs; services have them on `listen`.
  var operations: Int { admin + admin - listen }
}
