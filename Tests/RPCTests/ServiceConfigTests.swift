import Testing

@testable import RPC

@Suite("Service config")
struct ServiceConfigTests {
  private static let whole = """
    {
      "loadBalancingConfig": [{"grpclb": {}}, {"pick_first": {"shuffleAddressList": true}}],
      "methodConfig": [
        {
          "name": [{"service": "a.B", "method": "C"}, {"service": "a.D"}],
          "timeout": "1.5s", "waitForReady": true,
          "maxRequestMessageBytes": 1000, "maxResponseMessageBytes": "2000",
          "retryPolicy": {
            "maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "1s",
            "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE", "aborted", 8]
          }
        },
        {
          "name": [{}],
          "hedgingPolicy": {
            "maxAttempts": 3, "hedgingDelay": "0.05s", "nonFatalStatusCodes": ["UNAVAILABLE"]
          }
        }
      ],
      "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
      "healthCheckConfig": {"serviceName": "a.B"}
    }
    """

  @Test("the standard JSON is parsed")
  func json() throws {
    let config = try ServiceConfig(json: Self.whole)
    #expect(config.loadBalancing == .pickFirst(shuffled: true))
    #expect(config.healthService == "a.B")
    #expect(config.retryThrottling == RetryThrottling(tokensMax: 10, tokenRatio: 0.1))
    let retry = RetryPolicy(
      attemptsMax: 4, initialBackoff: .milliseconds(100), maxBackoff: .seconds(1),
      backoffMultiplier: 2, retryableCodes: [.unavailable, .aborted, .resourceExhausted])
    let hedging = HedgingPolicy(
      attemptsMax: 3, hedgingDelay: .milliseconds(50), nonFatalCodes: [.unavailable])
    #expect(
      config.methods == [
        MethodConfig(
          names: [.init(service: "a.B", method: "C"), .init(service: "a.D")],
          timeout: .milliseconds(1500), waitForReady: true, requestBytesMax: 1000,
          responseBytesMax: 2000, execution: .retry(retry)),
        MethodConfig(names: [.init()], execution: .hedge(hedging)),
      ])
  }

  @Test("a minimal config is sufficient")
  func least() throws {
    #expect(try ServiceConfig(json: "{}") == ServiceConfig())
    #expect(
      try ServiceConfig(json: #"{"loadBalancingPolicy": "ROUND_ROBIN"}"#).loadBalancing
        == .roundRobin)
    #expect(
      try ServiceConfig(json: #"{"loadBalancingConfig": [{"round_robin": {}}]}"#).loadBalancing
        == .roundRobin)
  }

  @Test("without a name of a service there are no health checks; an empty one is the server")
  func health() throws {
    #expect(try ServiceConfig(json: #"{"healthCheckConfig": {}}"#).healthService == nil)
    #expect(
      try ServiceConfig(json: #"{"healthCheckConfig": {"serviceName": ""}}"#).healthService == "")
  }

  @Test("every invalid field is reported in one error")
  func problems() {
    let json = """
      {
        "retryTrottling": {},
        "methodConfig": [
          {
            "name": [{"method": "C"}], "timeout": "1", "waitForReady": "yes",
            "maxRequestMessageBytes": -1,
            "retryPolicy": {"maxAttempts": 1, "retryableStatusCodes": []},
            "hedgingPolicy": {"maxAttempts": 2.5, "nonFatalStatusCodes": ["OK"]}
          },
          {"name": []}, 5
        ],
        "retryThrottling": {"maxTokens": 1001, "tokenRatio": 0},
        "healthCheckConfig": {"serviceName": 1},
        "loadBalancingConfig": [{"ring_hash": {}}]
      }
      """
    let error = #expect(throws: ServiceConfigError.self) { try ServiceConfig(json: json) }
    let places = Set((error?.problems ?? []).compactMap { $0.split(separator: ":").first })
    #expect(
      places == [
        "retryTrottling", "methodConfig[0].name[0]", "methodConfig[0].timeout",
        "methodConfig[0].waitForReady", "methodConfig[0].maxRequestMessageBytes",
        "methodConfig[0].retryPolicy.maxAttempts", "methodConfig[0].retryPolicy.initialBackoff",
        "methodConfig[0].retryPolicy.maxBackoff",
        "methodConfig[0].retryPolicy.backoffMultiplier",
        "methodConfig[0].retryPolicy.retryableStatusCodes",
        "methodConfig[0].hedgingPolicy.maxAttempts",
        "methodConfig[0].hedgingPolicy.nonFatalStatusCodes[0]", "methodConfig[0]",
        "methodConfig[1].name", "methodConfig[2]",
        "retryThrottling.maxTokens", "retryThrottling.tokenRatio",
        "healthCheckConfig.serviceName", "loadBalancingConfig",
      ])
    #expect(
      #expect(throws: ServiceConfigError.self) { try ServiceConfig(json: "[") }?.problems.count
        == 1)
  }

  @Test("a name that occurs twice is an error")
  func twice() {
    let json = #"{"methodConfig": [{"name": [{"service": "a"}]}, {"name": [{"service": "a"}]}]}"#
    #expect(
      #expect(throws: ServiceConfigError.self) { try ServiceConfig(json: json) }?.problems
        == ["methodConfig[1].name: a/ is twice"])
  }

  @Test(
    "durations are seconds with up to nine decimals",
    arguments: [
      ("0s", Duration.zero), ("1s", .seconds(1)), ("0.000000001s", .nanoseconds(1)),
      ("1.50s", .milliseconds(1500)), ("-1s", nil), ("1", nil), ("s", nil), (".5s", nil),
      ("1.s", nil), ("1.0000000001s", nil), ("1e3s", nil), ("99999999999999999999s", nil),
    ])
  func durations(text: String, duration: Duration?) {
    let json = #"{"methodConfig": [{"name": [{}], "timeout": "\#(text)"}]}"#
    #expect((try? ServiceConfig(json: json))?.methods.first?.timeout == duration)
  }

  @Test("the method's rule precedes the service's, which precedes the default")
  func table() {
    let method = { MethodConfig(names: [$0], timeout: $1) }
    let table = MethodTable([
      method(.init(), .seconds(1)), method(.init(service: "a.B"), .seconds(2)),
      method(.init(service: "a.B", method: "C"), .seconds(3)),
    ])
    func timeout(_ service: String, _ name: String) -> Duration? {
      table.config(MethodDescriptor(service: service, name: name, kind: .unary))?.timeout
    }
    #expect(timeout("a.B", "C") == .seconds(3))
    #expect(timeout("a.B", "D") == .seconds(2))
    #expect(timeout("a.C", "D") == .seconds(1))
    #expect(MethodTable([]).config(MethodDescriptor(service: "a", name: "b", kind: .unary)) == nil)
  }

  @Test(
    "the smaller of the caller's and the config's limits applies; unstated ones are the config's")
  func merged() throws {
    let config = MethodConfig(
      names: [.init()], timeout: .seconds(10), waitForReady: true, requestBytesMax: 3,
      responseBytesMax: 100)
    let descriptor = MethodDescriptor(service: "a", name: "b", kind: .unary)
    func plan(_ change: (inout CallOptions) -> Void = { _ in }) -> CallPlan {
      var options = CallOptions()
      change(&options)
      return CallPlan(descriptor, options, policy: nil, config: config)
    }
    #expect(plan().exchangeOptions.waitForReady)
    #expect(!plan { $0.waitForReady = false }.exchangeOptions.waitForReady)
    #expect(plan().exchangeOptions.messageBytesMax == 100)
    #expect(plan { $0.messageBytesMax = 50 }.exchangeOptions.messageBytesMax == 50)
    #expect(plan { $0.messageBytesMax = 500 }.exchangeOptions.messageBytesMax == 100)
    #expect(try #require(plan().deadline).remaining <= .seconds(10))
    #expect(try #require(plan { $0.timeout = .seconds(1) }.deadline).remaining <= .seconds(1))
    #expect(throws: RPCError.self) { try plan().pack(MessageFramer.frame(Text("four"))) }
    #expect(try plan().pack(MessageFramer.frame(Text("abc"))).count == 8)
    let bare = CallPlan(descriptor, CallOptions())
    #expect(bare.exchangeOptions.messageBytesMax == 4 << 20)
    #expect(bare.deadline == nil && !bare.exchangeOptions.waitForReady)
  }
}
