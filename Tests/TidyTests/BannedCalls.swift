/// Calls that are banned in this repository, or in a part of it.
struct BannedCall: Sendable {
  let token: String
  /// Whether it is banned after a dot too: `x.print(` is another function than `print(`.
  var asMember = true
  /// The files in which it is banned.
  var scope: @Sendable (String) -> Bool = { _ in true }
  /// Allowed where a comment on the line or within three lines above states the reason.
  var withReason = false
  let remedy: String
}

enum BannedCalls {
  static let table: [BannedCall] =
    [
      BannedCall(token: "try!", remedy: "throw, or handle the error where it can be handled"),
      BannedCall(token: "as!", remedy: "use as? and say what happens otherwise"),
      BannedCall(
        token: "Task.detached", remedy: "give the task a parent: a task group or async let"),
    ]
    + ["print(", "debugPrint(", "dump("].map {
      BannedCall(
        token: $0, asMember: false, scope: isLibrary,
        remedy: "log with swift-log, or return the text; only a main prints")
    }
    + ["Date()", "Date.now", "Date.init()"].map {
      BannedCall(
        token: $0, scope: isDomain,
        remedy: "take the time from the clock that the service is given")
    }
    + ["Thread.sleep(", "usleep(", "nanosleep(", "sleep("].map {
      BannedCall(
        token: $0, asMember: $0.hasPrefix("Thread"),
        remedy: "await the condition; a thread is never put to sleep")
    }
    + [
      ".iso8601", "Calendar(", "DateFormatter(", "NSRegularExpression(", "Node.Mapping(",
      "NumberFormatter(", "Tag.implicit",
    ].map {
      BannedCall(
        token: $0, scope: isServed, withReason: true,
        remedy: "it loads tables of ICU, megabytes in every service: use CivilDate, Date.rfc3339 or"
          + " a search by hand, and of Yams what needs no tags; or a comment beside it says why")
    }
    + ["Task.sleep(nanoseconds:", ".sleep(for:", ".sleep(until:"].map {
      BannedCall(
        token: $0, withReason: true,
        remedy: "await the condition instead; where time itself is meant, a comment beside it says"
          + " why")
    }

  /// The status codes that are left to applications. Source: gRPC's statuscodes.md, the codes that
  /// no library generates.
  static let codes: [BannedCall] = [
    ".invalidArgument,", ".notFound,", ".alreadyExists,", ".failedPrecondition,", ".aborted,",
    ".outOfRange,", ".dataLoss,",
  ].map {
    BannedCall(
      token: $0, scope: isRuntime,
      remedy: "this code is the application's; gRPC's statuscodes.md has those of a library")
  }

  static func violations(_ repository: Repository) -> [Violation] {
    repository.swift.flatMap { file in
      (table + codes).filter { $0.scope(file.path) }.flatMap { violations(of: $0, in: file) }
        + unwritten(file)
    }
  }

  private static func violations(of call: BannedCall, in file: SourceFile) -> [Violation] {
    guard let swift = file.swift else { return [] }
    let lines = swift.code.occurrences(of: call.token, member: call.asMember)
      .map { swift.code.line(at: $0) }
      // A declaration is not a call: `func sleep(until:)` of a clock.
      .filter { !swift.code.line($0).contains("func \(call.token)") }
      .filter { !call.withReason || Nearby.comment(swift, line: $0).isEmpty }
    return Set(lines).sorted().map {
      Violation(path: file.path, line: $0, finding: "\(call.token) is banned", remedy: call.remedy)
    }
  }

  /// Finds `fatalError("… unimplemented")` and similar calls: branches that were not written.
  private static func unwritten(_ file: SourceFile) -> [Violation] {
    guard let swift = file.swift else { return [] }
    return ["fatalError(", "preconditionFailure(", "assertionFailure("].flatMap { token in
      swift.code.occurrences(of: token).map { swift.code.line(at: $0) }
    }
    .filter { number in
      let line = file.text.line(number).lowercased()
      return ["unimplemented", "not implemented", "not yet"].contains { line.contains($0) }
    }
    .map {
      Violation(
        path: file.path, line: $0, finding: "a branch that nobody wrote",
        remedy: "write it, or make the case impossible in the types")
    }
  }

  /// Whether a file belongs to the runtime, which fails calls by itself.
  @Sendable static func isRuntime(_ path: String) -> Bool {
    ["RPC", "RPCInProcess", "RPCTransport"].contains { path.hasPrefix("Sources/\($0)/") }
  }

  /// Whether a file may be part of a service.
  @Sendable static func isServed(_ path: String) -> Bool {
    path.hasPrefix("Sources/") || path.hasPrefix("services/") && !path.hasPrefix("services/yijia/")
  }

  /// Whether a file belongs to a library: Sources without a main, and the services' cores.
  @Sendable static func isLibrary(_ path: String) -> Bool {
    let executables = [
      "protoc-gen-yijia", "rpc-interop-server", "rpc-interop-client", "rpc-bench-server",
      "rpc-bench-client",
    ]
    return isDomain(path)
      || path.hasPrefix("Sources/")
        && !executables.contains { path.hasPrefix("Sources/\($0)/") }
  }

  /// Whether a file belongs to a service's domain: services/*/*Core.
  @Sendable static func isDomain(_ path: String) -> Bool {
    let parts = path.split(separator: "/")
    return parts.count > 3 && parts[0] == "services" && parts[2].hasSuffix("Core")
  }
}

/// Comments near a line.
enum Nearby {
  static let linesAbove = 3

  /// Returns the comments on the line and up to three lines above it, as one lower-case text.
  static func comment(_ swift: SwiftText, line: Int) -> String {
    (line - linesAbove...line).map {
      swift.comments.line($0).drop { $0 == " " || $0 == "/" || $0 == "*" }
    }
    .filter { !$0.isEmpty }.joined(separator: " ").lowercased()
  }
}
