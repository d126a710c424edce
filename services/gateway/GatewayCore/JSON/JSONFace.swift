import GoogleProtobuf
import GoogleRPC
import GoogleType
public import Logging
package import ProtobufJSON
public import RPC
import RPCInProcess
import ServiceKit
import YijiaTypeV1

/// The gateway for callers that speak HTTP and JSON: each request becomes a gRPC call of the
/// gateway itself, in the process and on the same loop, so that keys, policy, deadlines, metrics
/// and the log are in one place only. One with one message each way needs no task.
///
/// Which paths there are is in the contracts (`google.api.http`); every method is also
/// `POST /package.Service/Method`. Safe to use from any task.
public struct JSONFace: ExchangeHandler {
  private let contracts: JSONContracts
  let gateway: Dispatcher
  private let callee: Gateway
  let bodies: BodyBudget
  private let origins: BrowserOrigins
  let messageBytesMax: Int
  let bodyMax: Swift.Duration
  let answers: FailureAnswer

  /// - Parameters:
  ///   - gateway: Gets the calls.
  ///   - origins: Of pages that may call from a browser.
  ///   - messageBytesMax: The longest request, as JSON; of a stream, the longest line.
  ///   - bodyMax: How long the body of a request of one message may take.
  public init(
    of gateway: Gateway, contracts: JSONContracts, origins: BrowserOrigins,
    messageBytesMax: Int, bodyMax: Swift.Duration = .seconds(60), logger: Logger
  ) throws {
    try self.init(
      of: gateway, contracts: contracts, origins: origins, messageBytesMax: messageBytesMax,
      bodyMax: bodyMax, bodies: .process, logger: logger)
  }

  init(
    of gateway: Gateway, contracts: JSONContracts, origins: BrowserOrigins,
    messageBytesMax: Int, bodyMax: Swift.Duration = .seconds(60), bodies: BodyBudget,
    logger: Logger
  ) throws {
    self.contracts = contracts
    self.bodies = bodies
    callee = gateway
    self.gateway = Dispatcher(
      router: try Router(services: []), handlers: [gateway], logger: logger)
    self.origins = origins
    self.messageBytesMax = messageBytesMax
    self.bodyMax = bodyMax
    answers = FailureAnswer(logger: logger)
  }

  /// All that is no gRPC: what no rule names is told so in JSON.
  public func claims(_ head: RequestHead) -> Bool { !head.isGRPC }

  /// Takes calls with one message each way; what is wrong with others is told by a task.
  public func take(_ exchange: ServerExchange) -> Bool {
    guard let request = try? JSONRequest(exchange.head, contracts.routes),
      request.route.method.kind == .unary
    else { return false }
    let writer = JSONWriter(
      exchange, codec: contracts.codec, fields: origins.fields(for: exchange.head))
    JSONUnaryCall(request, exchange, of: self, codec: contracts.codec, writer: writer).begin()
    return true
  }

  public func serve(_ exchange: ServerExchange) async {
    let allowed = origins.fields(for: exchange.head)
    if exchange.head.method == "OPTIONS" {
      var head: HeaderList = [":status": "204"]
      head.add(contentsOf: allowed)
      return await exchange.sendHead(head, endsStream: true)
    }
    let writer = JSONWriter(exchange, codec: contracts.codec, fields: allowed)
    var path: String?
    var isCalled = false
    do {
      let request = try JSONRequest(exchange.head, contracts.routes)
      path = request.route.method.path
      let call = JSONCall(
        request, exchange, of: self, codec: contracts.codec, messageBytesMax: messageBytesMax,
        bodyMax: bodyMax, writer: writer)
      let first = try await call.first()
      let channel = InProcessChannel(
        gateway, loop: exchange.exchange.loop, peer: BrowserOrigins.peer(of: exchange))
      isCalled = true
      try await call.run(first, on: channel)
    } catch {
      var answer = error as? RPCError
      if answer == nil { answer = await answers.rendered(error, exchange) }
      guard let answer else { return }
      if !isCalled { note(exchange, path: path, answer.code, error) }
      await writer.fail(answer)
    }
  }

  /// Refuses who may not call, before more is held of the body than of anybody's.
  func check(_ exchange: ServerExchange, path: String) async throws {
    try await callee.check(exchange.head, path: path, from: BrowserOrigins.peer(of: exchange))
  }

  /// Tells of a request that this face refused itself; of others the gateway tells.
  func note(
    _ exchange: ServerExchange, path: String?, _ code: RPCError.Code, _ error: any Error
  ) {
    callee.note(exchange.head, path: path, code, error as? any ServiceFailure)
  }
}

/// The contracts as HTTP and JSON see them. Reading them takes a while, and they never change.
public struct JSONContracts: Sendable {
  let contracts: [Contract]
  let codec: JSONCodec
  let routes: HTTPRoutes

  /// - Throws: ``ConfigurationError`` where a contract's HTTP rule is none.
  public init(_ contracts: [Contract] = Contract.all) throws {
    self.contracts = contracts
    codec = try JSONCodec(contracts)
    routes = try HTTPRoutes(contracts: contracts, registry: codec.mapping.registry)
  }
}

/// JSON by the contracts, and the statuses of failures.
package struct JSONCodec: Sendable {
  package let mapping: JSONMapping
  let status: MessageType

  /// What contracts import, and what statuses are made of.
  private static let imported = [
    GoogleProtobufDescriptors.fileDescriptorSet, GoogleTypeDescriptors.fileDescriptorSet,
    GoogleRPCDescriptors.fileDescriptorSet, YijiaTypeV1Descriptors.fileDescriptorSet,
  ]

  /// - Throws: `TypeRegistryError`, ``ConfigurationError`` where the contracts are not whole.
  package init(_ contracts: [Contract]) throws {
    let registry = try TypeRegistry(contracts.map(\.descriptorSet) + Self.imported)
    guard let status = registry.message(named: "google.rpc.Status") else {
      throw ConfigurationError("google.rpc.Status is in no contract")
    }
    mapping = JSONMapping(registry)
    self.status = status
  }
}
