import Metrics
public import RPC
import ServiceKit
import YijiaTypeV1

/// Where calls of a service go.
public struct Backend: Sendable {
  /// Name of the service, as failures and the log call it.
  public let name: String
  /// To all its replicas.
  public let channel: any Channel
  /// The same, where it may have connections on a caller's loop.
  let loopChannel: (any LoopChannel)?
  /// Audience of the caller token that goes with each call; nil for none.
  public let audience: String?
  /// How much of its calls may be retries.
  let budget = RetryBudget()
  /// Attempts beyond the first.
  let retries: Counter

  public init(name: String, channel: any Channel, audience: String?) {
    self.name = name
    self.channel = channel
    loopChannel = channel as? any LoopChannel
    self.audience = audience
    retries = Counter(label: "gateway.retries", dimensions: [("service", name)])
  }
}

/// A method's way: where it goes, and under which path its policy is found. A call keeps it.
final class Route: Sendable {
  let backend: Backend
  let policyPath: String
  /// Whether it is known to be one message each way.
  let isUnary: Bool
  /// Whether nobody has to prove anything.
  let isAnonymous: Bool
  /// Whether the gateway serves it itself.
  let isOwn: Bool
  let traits: MethodTraits
  /// Place of its path in ``RouteTable/paths``, from 1 on; 0 where it has none.
  let number: Int
  /// Which of ``RouteTable/limitedPaths`` it is; nil where no partner may call.
  let limitIndex: Int?
  /// Whether nobody is asked who calls: for measurements.
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

/// Every method that is served, with its policy. What is not in it is unknown; what is in it
/// without a policy does not start.
///
/// An immutable value, so that a new configuration can take the place of the old one as a whole.
public struct RouteTable: Sendable {
  /// Who may call.
  private(set) var policies: PolicyTable
  private var exact: [String: Route] = [:]
  private var opaque: [String: Route] = [:]
  /// What partners may call, by policy path: their limits are counted apart. A service without a
  /// contract is one.
  private(set) var limitedPaths: [String] = []

  /// The methods of the contracts: a bounded set, unlike the paths that callers send.
  private(set) var paths: [String] = []

  /// - Parameters:
  ///   - backends: By the audience of their contract; every contract has one.
  ///   - opaque: Services without a contract, each with its backend.
  /// - Throws: ``ConfigurationError`` where a method has no policy or a service no backend.
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
      for method in setting.idempotentMethods {
        exact["\(path)/\(method)"] = Route(
          backend: backend, policyPath: path, isUnary: false,
          traits: MethodTraits(isIdempotent: true, takesOneMessage: true), limitIndex: place,
          isOpen: setting.isOpen)
      }
    }
  }

  private mutating func limitIndex(of policyPath: String) -> Int? {
    guard policies[policyPath]?.callers.contains(.partner) == true else { return nil }
    limitedPaths.append(policyPath)
    return limitedPaths.count - 1
  }

  /// The way of a method by its path; nil where there is none.
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
