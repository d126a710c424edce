import Metrics
public import RPC
import ServiceKit
import YijiaTypeV1

/// A service that calls are forwarded to.
public struct Backend: Sendable {
  /// Name of the service in failures and in the log.
  public let name: String
  /// The channel to all replicas.
  public let channel: any Channel
  /// The same channel, if it may have connections on a caller's event loop.
  let loopChannel: (any LoopChannel)?
  /// Audience of the caller token sent with each call; nil for none.
  public let audience: String?
  /// Bounds the share of retries.
  let budget = RetryBudget()
  /// Counts the attempts beyond the first.
  let retries: Counter

  public init(name: String, channel: any Channel, audience: String?) {
    self.name = name
    self.channel = channel
    loopChannel = channel as? any LoopChannel
    self.audience = audience
    retries = Counter(label: "gateway.retries", dimensions: [("service", name)])
  }
}

/// The route of a method: its backend, and the path of its policy. Calls hold a reference.
final class Route: Sendable {
  let backend: Backend
  let policyPath: String
  /// Whether the method is known to be unary.
  let isUnary: Bool
  /// Whether the method needs no authentication.
  let isAnonymous: Bool
  /// Whether the gateway serves the method itself.
  let isOwn: Bool
  let traits: MethodTraits
  /// 1-based index of its path in ``RouteTable/paths``; 0 for methods that are not listed.
  let number: Int
  /// Index in ``RouteTable/limitedPaths``; nil where partners may not call.
  let limitIndex: Int?
  /// Whether calls are forwarded without authentication and policy: for measurements.
  let isOpen: Bool

  init(
    backend: Backend, policyPath: String, isUnary: Bool, isAnonymous: Bool = false,
    isOwn: Bool = false, traits: MethodTraits = MethodTraits(), number: Int = 0,
    limitIndex: Int? = nil, isOpen: Bool = false
  ) {
    self.backend = backend
    self.policyPath = policyPath
    self.isUnary = isUnary
    self.isAnonymous = isAnonymous
    self.isOwn = isOwn
    self.traits = traits
    self.number = number
    self.limitIndex = limitIndex
    self.isOpen = isOpen
  }
}

/// The routes of all methods, with their policies. A method that is not in it is unknown; a method
/// of a contract without a policy is refused at start.
///
/// Immutable, so that a reload replaces it as a whole.
public struct RouteTable: Sendable {
  /// Who may call which path.
  private(set) var policies: PolicyTable
  private var exact: [String: Route] = [:]
  private var opaque: [String: Route] = [:]
  /// The policy paths that partners may call; each is limited separately. An opaque service is one
  /// path.
  private(set) var limitedPaths: [String] = []

  /// The paths of the methods of contracts and configuration: a bounded set, unlike the paths that
  /// callers send.
  private(set) var paths: [String] = []

  /// - Parameters:
  ///   - backends: Backends by the audience of their contract; every contract needs one.
  ///   - opaque: Services without a contract, each with its backend.
  /// - Throws: ``ConfigurationError`` where a method has no policy or a contract no backend.
  public init(
    contracts: [Contract] = Contract.all, backends: [String: Backend],
    opaque services: [(setting: OpaqueServiceSetting, backend: Backend)] = []
  ) throws {
    policies = try PolicyTable(descriptorSets: contracts.map(\.descriptorSet))
    try policies.check(contracts.flatMap(\.methods))
    for contract in contracts {
      guard let backend = backends[contract.audience] else {
        throw ConfigurationError("services.\(contract.audience): missing")
      }
      let traits = try MethodTraits.all(of: contract)
      for method in contract.methods {
        exact[method.path] = Route(
          backend: backend, policyPath: method.path, isUnary: method.kind == .unary,
          isAnonymous: policies[method.path]?.callers == [.anonymous],
          isOwn: contract.audience == Contract.own.audience,
          traits: traits[method.path] ?? MethodTraits(), number: paths.count + 1,
          limitIndex: limitIndex(of: method.path))
        paths.append(method.path)
      }
    }
    for (setting, backend) in services {
      let path = "/\(setting.service)"
      policies.set(setting.policy, path: path)
      let place = limitIndex(of: path)
      opaque[setting.service] = Route(
        backend: backend, policyPath: path, isUnary: false, limitIndex: place,
        isOpen: setting.isOpen)
      for method in Set(setting.methods).union(setting.idempotentMethods).sorted() {
        let isIdempotent = setting.idempotentMethods.contains(method)
        exact["\(path)/\(method)"] = Route(
          backend: backend, policyPath: path, isUnary: false,
          traits: MethodTraits(isIdempotent: isIdempotent, takesOneMessage: isIdempotent),
          number: paths.count + 1, limitIndex: place, isOpen: setting.isOpen)
        paths.append("\(path)/\(method)")
      }
    }
  }

  private mutating func limitIndex(of policyPath: String) -> Int? {
    guard policies[policyPath]?.callers.contains(.partner) == true else { return nil }
    limitedPaths.append(policyPath)
    return limitedPaths.count - 1
  }

  /// Returns the route of a method's path; nil where there is none.
  subscript(path: String) -> Route? {
    if let route = exact[path] { return route }
    let slash = UInt8(ascii: "/")
    guard !opaque.isEmpty, path.utf8.first == slash, path.utf8.last != slash,
      let end = path.utf8.lastIndex(of: slash)
    else { return nil }
    let service = path[path.startIndex..<end].dropFirst()
    return opaque[String(service)] ?? opaque[OpaqueServiceSetting.anyService]
  }
}
