import GoogleProtobuf
import GoogleRPC
import GoogleType
public import Logging
package import ProtobufJSON
public import RPC
import RPCInProcess
import ServiceKit
import YijiaTypeV1

/// The gateway's HTTP and JSON face: each request becomes an in-process gRPC call to the gateway on
/// the same loop, so that authentication, policy, deadlines, metrics and the access log exist once.
/// Unary calls need no task.
///
/// The paths are in the contracts (`google.api.http`); every method is also served as `POST
/// /package.Service/Method`. Safe to use from any task.
public struct JSONFace: ExchangeHandler {
  private let contracts: JSONContracts
  let gateway: Dispatcher
  private let callee: Gateway
  let bodies: BodyBudget
  private let origins: BrowserOrigins
  let messageBytesMax: Int
  let bodyMax: Swift.Duration
  /// The longest response message, in wire format: gRPC clients accept no more by default either.
  let answerBytesMax: Int
  let pace: JSONPace
  let answers: FailureAnswer

  /// - Parameters:
  ///   - gateway: Receives the calls.
  ///   - origins: The origins whose pages may call from a browser.
  ///   - messageBytesMax: The longest request, as JSON; of a stream, the longest line.
  ///   - bodyMax: Time limit for reading the body of a single request message.
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
    pace: JSONPace = JSONPace(), logger: Logger
  ) throws {
    self.contracts = contracts
    self.bodies = bodies
    callee = gateway
    self.gateway = Dispatcher(
      router: try Router(services: []), handlers: [gateway], logger: logger)
    self.origins = origins
    self.messageBytesMax = messageBytesMax
    self.bodyMax = bodyMax
    answerBytesMax = max(messageBytesMax, CallLimits().messageBytesMax)
    self.pace = pace
    answers = FailureAnswer(logger: logger)
  }

  /// Whether the request is not gRPC. A path that matches no rule is answered in JSON.
  public func claims(_ head: RequestHead) -> Bool { !head.isGRPC }

  /// Serves unary calls without a task. Invalid requests are left to `serve(_:)`.
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
      let path = RequestPath(exchange.head.path.prefix { $0 != "?" })
      let verbs = path.map(contracts.routes.verbs) ?? []
      if !verbs.isEmpty { head.add("allow", verbs.joined(separator: ", ")) }
      head.add(contentsOf: allowed)
      head.addDate()
      return await exchange.sendHead(head, endsStream: true)
    }
    let writer = JSONWriter(exchange, codec: contracts.codec, fields: allowed)
    var path: String?
    var isCalled = false
    do {
      let request = try JSONRequest(exchange.head, contracts.routes)
      path = request.route.method.path
      if exchange.head.method == "HEAD" {
        // Of a stream: its messages would only be dropped.
        try await check(exchange, path: request.route.method.path)
        return try await writer.end(request.format)
      }
      let call = JSONCall(
        request, exchange, of: self, codec: contracts.codec, messageBytesMax: messageBytesMax,
        bodyMax: bodyMax, writer: writer)
      let first = try await call.first()
      let channel = InnerCall.channel(to: gateway, for: exchange)
      isCalled = true
      try await call.run(first, on: channel)
    } catch {
      let answer = answers.rendered(error, exchange)
      if !isCalled { note(exchange, path: path, answer.code, error) }
      await writer.fail(answer)
    }
  }

  /// Throws unless the caller may make the call; called before more than `BodyBudget.freeBytes` of
  /// the body are buffered.
  func check(_ exchange: ServerExchange, path: String) async throws {
    try await callee.check(exchange.head, path: path, from: BrowserOrigins.peer(of: exchange))
  }

  /// Records a request that this face refused itself; the gateway records those that reach it.
  func note(
    _ exchange: ServerExchange, path: String?, _ code: RPCError.Code, _ error: any Error
  ) {
    callee.note(exchange.head, path: path, code, error as? any ServiceFailure)
  }
}

/// The routes and JSON mappings of the contracts. Building them takes a while, and they never
/// change.
public struct JSONContracts: Sendable {
  let contracts: [Contract]
  let codec: JSONCodec
  let routes: HTTPRoutes

  /// - Throws: ``ConfigurationError`` where a contract's HTTP rule is malformed.
  public init(_ contracts: [Contract] = Contract.all) throws {
    self.contracts = contracts
    codec = try JSONCodec(contracts)
    routes = try HTTPRoutes(contracts: contracts, registry: codec.mapping.registry)
  }
}

/// The JSON mapping of the contracts' types, and the type of statuses.
package struct JSONCodec: Sendable {
  /// The JSON mapping of the contracts' types.
  package let mapping: JSONMapping
  /// The type `google.rpc.Status`.
  let status: MessageType

  /// Descriptors that the contracts import, and those of statuses.
  private static let imported = [
    GoogleProtobufDescriptors.fileDescriptorSet, GoogleTypeDescriptors.fileDescriptorSet,
    GoogleRPCDescriptors.fileDescriptorSet, YijiaTypeV1Descriptors.fileDescriptorSet,
  ]

  /// - Throws: `TypeRegistryError`; ``ConfigurationError`` where the contracts are incomplete.
  package init(_ contracts: [Contract]) throws {
    let registry = try TypeRegistry(contracts.map(\.descriptorSet) + Self.imported)
    guard let status = registry.message(named: "google.rpc.Status") else {
      throw ConfigurationError("google.rpc.Status is in no contract")
    }
    mapping = JSONMapping(registry)
    self.status = status
  }
}
