import RPC
import YijiaTypeV1

/// The policy table: a row per method, a column per kind of caller. Generated from the contracts'
/// policies, which the gateway and the services enforce.
public struct PolicyMatrix: Sendable, Hashable {
  /// The kinds of caller that have a column.
  static let kinds: [CallerKind] = [.partner, .kiosk, .staff, .member, .anonymous, .service]

  /// The row of one method.
  struct Row: Sendable, Hashable {
    /// `/yijia.members.v1.MembersService/GetMember`, or `/package.Service/*`.
    let path: String
    /// `unary`, `stream → one`, …
    let kind: String
    /// By column: which callers of that kind may call; nil for none.
    let callers: [String?]
    /// Default limits of a partner; empty where partners may not call.
    let limits: String

    /// Whether callers of that kind may call, at least some of them.
    func allows(_ kind: CallerKind) -> Bool {
      PolicyMatrix.kinds.firstIndex(of: kind).flatMap { callers[$0] } != nil
    }
  }

  let rows: [Row]

  /// - Parameters:
  ///   - configuration: A valid one, for its opaque services and default limits.
  /// - Throws: The error of an invalid contract.
  public init(contracts: [Contract] = Contract.all, _ configuration: GatewayConfiguration) throws {
    let book = try ContractBook(contracts)
    func limits(_ path: String, _ policy: Policy) -> String {
      guard policy.callers.contains(.partner) else { return "" }
      return MethodLimits(of: path, own: [], defaults: configuration.limits).description
    }
    rows =
      book.services.flatMap(\.methods).map { method in
        Row(
          path: method.descriptor.path, kind: method.descriptor.kind.title,
          callers: Self.callers(method.policy),
          limits: limits(method.descriptor.path, method.policy))
      }
      + configuration.opaqueServices.map { service in
        Row(
          path: "/\(service.service)/*", kind: "any", callers: Self.callers(service.policy),
          limits: limits("/\(service.service)", service.policy))
      }
  }

  private static func callers(_ policy: Policy) -> [String?] {
    kinds.map { kind in
      guard policy.callers.contains(kind) else { return nil }
      return switch kind {
      case .staff: policy.staffRole == .unspecified ? nil : policy.staffRole.title
      case .service: policy.services.isEmpty ? nil : policy.services.joined(separator: ", ")
      default: "yes"
      }
    }
  }

  private static let heading = ["method", "kind"] + kinds.map(\.title) + ["limits of a partner"]

  private var cells: [[String]] {
    rows.map { [$0.path, $0.kind] + $0.callers.map { $0 ?? "-" } + [$0.limits] }
  }

  /// The table as aligned text.
  public var text: String {
    let table = [Self.heading] + cells
    let widths = Self.heading.indices.map { column in table.map { $0[column].count }.max() ?? 0 }
    return table.map { row in
      zip(row, widths).map { cell, width in
        cell + String(repeating: " ", count: width - cell.count)
      }.joined(separator: "  ").trimmedEnd
    }.joined(separator: "\n") + "\n"
  }

  /// The table as an HTML page.
  var html: String {
    let head = Self.heading.map { "<th>\(Self.escaped($0))</th>" }.joined()
    let body = cells.map { row in
      "<tr>"
        + row.map { "<td\($0 == "-" ? " class=\"no\"" : "")>\(Self.escaped($0))</td>" }.joined()
        + "</tr>"
    }.joined(separator: "\n")
    return DocsPage.html(
      title: "驿家 · 权限表 · Policy",
      body: """
        <header><h1>权限表 · Policy</h1><nav><a href="/docs">API</a></nav></header>
        <main class="plain">
        <p>谁可调用哪个方法，出自接口定义；未列出者一律拒绝。工会人员一栏为所需的最低角色。<br>
        Who may call what, from the contracts; all else is denied. For staff the least role.</p>
        <table><thead><tr>\(head)</tr></thead><tbody>
        \(body)
        </tbody></table></main>
        """)
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
  }
}

extension String {
  fileprivate var trimmedEnd: String {
    var text = self
    while text.last == " " { text.removeLast() }
    return text
  }
}

extension MethodKind {
  /// Name in the documentation.
  var title: String {
    switch self {
    case .unary: "unary"
    case .clientStreaming: "stream up"
    case .serverStreaming: "stream down"
    case .bidirectionalStreaming: "stream both"
    }
  }
}

extension MethodLimits: CustomStringConvertible {
  /// `1000/s, burst 10000; 1000 at once`
  var description: String {
    var parts: [String] = []
    if let rate {
      let perSecond = 1_000_000_000 / Double(rate.interval)
      let rounded = (perSecond * 1_000).rounded() / 1_000
      parts.append(
        (rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)")
          + "/s, burst \(rate.burst)")
    }
    if let streamsMax { parts.append("\(streamsMax) at once") }
    if let callsPerDay { parts.append("\(callsPerDay) a day") }
    if let messageBytesMax { parts.append("\(messageBytesMax) B a message") }
    return parts.isEmpty ? "none" : parts.joined(separator: "; ")
  }
}
