internal import Foundation

/// The error of an invalid service config, with all its problems.
public struct ServiceConfigError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The problems, each with its field: `methodConfig[0].timeout: …`.
  public let problems: [String]

  /// All problems in one line.
  public var description: String { "service config: " + problems.joined(separator: "; ") }
}

extension ServiceConfig {
  /// Parses gRPC's standard JSON:
  /// `{"methodConfig": [{"name": [{"service": "a.B"}], "timeout": "1s", "retryPolicy": {…}}], …}`.
  ///
  /// An unknown field is an error, so that no typing error goes unnoticed. Of load-balancing
  /// policies the first known one applies (gRFC A24).
  /// - Throws: ``ServiceConfigError`` naming every wrong field.
  public init(json: String) throws(ServiceConfigError) {
    self.init()
    let value: JSONValue
    do {
      value = try JSONDecoder().decode(JSONValue.self, from: Data(json.utf8))
    } catch {
      throw ServiceConfigError(problems: ["it is not JSON: \(error)"])
    }
    let reader = ConfigReader()
    reader.object(value, at: "") { fields in
      methods = fields.list("methodConfig") { MethodConfig($0, $1, reader) } ?? []
      retryThrottling = fields.take("retryThrottling") { RetryThrottling($0, $1, reader) }
      healthService = fields.take("healthCheckConfig") { value, place in
        var name: String?
        // Without a name there are no health checks; "" is the whole server. Source: gRFC A17.
        reader.object(value, at: place) { name = $0.string("serviceName") }
        return name
      }
      let policy = fields.take("loadBalancingPolicy", reader.loadBalancingPolicy)
      loadBalancing = fields.take("loadBalancingConfig", reader.loadBalancingConfig) ?? policy
    }
    checkNames(reader)
    guard reader.problems.isEmpty else { throw ServiceConfigError(problems: reader.problems) }
  }

  /// Reports names that occur more than once. Source: gRFC A2.
  private func checkNames(_ reader: ConfigReader) {
    var seen: Set<MethodConfig.Name> = []
    for (index, method) in methods.enumerated() {
      for name in method.names where !seen.insert(name).inserted {
        reader.problem("methodConfig[\(index)].name", "\(name.service)/\(name.method) is twice")
      }
    }
  }
}

extension MethodConfig {
  fileprivate init(_ value: JSONValue, _ place: String, _ reader: ConfigReader) {
    self.init(names: [])
    reader.object(value, at: place) { fields in
      names = fields.list("name") { Name($0, $1, reader) } ?? []
      if names.isEmpty { reader.problem(place + ".name", "is missing or empty") }
      waitForReady = fields.bool("waitForReady")
      timeout = fields.duration("timeout", isPositive: false)
      requestBytesMax = fields.integer("maxRequestMessageBytes", 0...Int(UInt32.max))
      responseBytesMax = fields.integer("maxResponseMessageBytes", 0...Int(UInt32.max))
      let retry = fields.take("retryPolicy") { RetryPolicy($0, $1, reader) }
      let hedging = fields.take("hedgingPolicy") { HedgingPolicy($0, $1, reader) }
      switch (retry, hedging) {
      case (let retry?, nil): execution = .retry(retry)
      case (nil, let hedging?): execution = .hedge(hedging)
      case (nil, nil): break
      default: reader.problem(place, "has both a retryPolicy and a hedgingPolicy")
      }
    }
  }
}

extension MethodConfig.Name {
  fileprivate init(_ value: JSONValue, _ place: String, _ reader: ConfigReader) {
    self.init()
    reader.object(value, at: place) { fields in
      service = fields.string("service") ?? ""
      method = fields.string("method") ?? ""
    }
    if service.isEmpty, !method.isEmpty { reader.problem(place, "names a method but no service") }
  }
}

extension RetryPolicy {
  fileprivate init(_ value: JSONValue, _ place: String, _ reader: ConfigReader) {
    self.init()
    reader.object(value, at: place) { fields in
      attemptsMax = fields.required("maxAttempts", { $0.integer($1, 2...Int(Int32.max)) }) ?? 2
      initialBackoff =
        fields.required("initialBackoff", { $0.duration($1, isPositive: true) }) ?? .zero
      maxBackoff = fields.required("maxBackoff", { $0.duration($1, isPositive: true) }) ?? .zero
      backoffMultiplier = fields.required("backoffMultiplier", { $0.number($1, above: 0) }) ?? 1
      retryableCodes = fields.required("retryableStatusCodes", { $0.codes($1) }) ?? []
      if fields.has("retryableStatusCodes"), retryableCodes.isEmpty {
        reader.problem(place + ".retryableStatusCodes", "is empty")
      }
    }
  }
}

extension HedgingPolicy {
  fileprivate init(_ value: JSONValue, _ place: String, _ reader: ConfigReader) {
    self.init()
    reader.object(value, at: place) { fields in
      attemptsMax = fields.required("maxAttempts", { $0.integer($1, 2...Int(Int32.max)) }) ?? 2
      hedgingDelay = fields.duration("hedgingDelay", isPositive: false) ?? .zero
      nonFatalCodes = fields.codes("nonFatalStatusCodes") ?? []
    }
  }
}

extension RetryThrottling {
  fileprivate init(_ value: JSONValue, _ place: String, _ reader: ConfigReader) {
    self.init(tokensMax: 1, tokenRatio: 1)
    reader.object(value, at: place) { fields in
      tokensMax = Double(fields.required("maxTokens", { $0.integer($1, 1...1000) }) ?? 1)
      tokenRatio = fields.required("tokenRatio", { $0.number($1, above: 0) }) ?? 1
      // Three decimal places count, so anything smaller is zero. Source: gRFC A6.
      if tokenRatio < 0.001 { reader.problem(place + ".tokenRatio", "is less than 0.001") }
    }
  }
}

extension ConfigReader {
  fileprivate func loadBalancingPolicy(_ value: JSONValue, _ place: String) -> LoadBalancing? {
    switch value {
    case .string("ROUND_ROBIN"), .string("round_robin"): return .roundRobin
    case .string("PICK_FIRST"), .string("pick_first"): return .pickFirst(shuffled: false)
    default:
      problem(place, "is neither round_robin nor pick_first")
      return nil
    }
  }

  fileprivate func loadBalancingConfig(_ value: JSONValue, _ place: String) -> LoadBalancing? {
    guard case .array(let policies) = value else {
      problem(place, "is no list")
      return nil
    }
    for (index, policy) in policies.enumerated() {
      let inner = "\(place)[\(index)]"
      guard case .object(let entry) = policy, entry.count == 1, let (name, settings) = entry.first
      else {
        problem(inner, "is no object of one policy")
        return nil
      }
      switch name {
      case "round_robin":
        object(settings, at: "\(inner).round_robin") { _ in }
        return .roundRobin
      case "least_request_experimental":
        var choices = 2
        object(settings, at: "\(inner).least_request_experimental") {
          choices = $0.integer("choiceCount", 2...Int(Int32.max)) ?? 2
        }
        return .leastRequest(choices: min(choices, 10))
      case "pick_first":
        var isShuffled = false
        object(settings, at: "\(inner).pick_first") {
          isShuffled = $0.bool("shuffleAddressList") ?? false
        }
        return .pickFirst(shuffled: isShuffled)
      default: continue
      }
    }
    problem(
      place, "has no policy that is known: round_robin, least_request_experimental, pick_first")
    return nil
  }
}
