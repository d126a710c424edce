import RPC
import ServiceKit
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
  func html(in language: Language) -> String {
    func said(_ text: String) -> String {
      Self.escaped(language == .chinese ? Self.chinese[text] ?? text : text)
    }
    let head = Self.heading.map { "<th>\(said($0))</th>" }.joined()
    let body = cells.map { row in
      "<tr>"
        + row.map { "<td\($0 == "-" ? " class=\"no\"" : "")>\(said($0))</td>" }.joined()
        + "</tr>"
    }.joined(separator: "\n")
    let title = Self.title.text(in: language)
    return DocsPage.html(
      title: title,
      body: """
        <header><h1>\(title)</h1><nav><a href="/docs">API</a></nav></header>
        <main class="plain">
        <p>\(Self.about.text(in: language))</p>
        <table><thead><tr>\(head)</tr></thead><tbody>
        \(body)
        </tbody></table></main>
        """, in: language)
  }

  private static let title = LocalizedText(zh: "驿家 · 权限表", en: "Yijia · Policy")
  private static let about = LocalizedText(
    zh: "谁可调用哪个方法，出自接口定义；未列出者一律拒绝。工会人员一栏为所需的最低角色；"
      + "限额中 /s 为每秒次数，burst 为可突发的次数，at once 为同时进行的个数。",
    en: "Who may call what, from the contracts; all else is denied. For staff the least role.")

  private static let chinese = [
    "method": "方法", "kind": "类型", "partner": "合作平台", "kiosk": "终端", "staff": "工会人员",
    "member": "会员", "anybody": "任何人", "service": "内部服务", "limits of a partner": "合作平台的限额",
    "unary": "单次", "stream up": "上行流", "stream down": "下行流", "stream both": "双向流",
    "any": "任意", "yes": "是", "viewer": "查看员", "clerk": "经办员", "administrator": "管理员",
    "none": "无",
  ]

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
