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
    self.contracts = contracts
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
    do {
      let request = try JSONRequest(exchange.head, contracts.routes)
      let call = JSONCall(
        request, exchange, codec: contracts.codec, messageBytesMax: messageBytesMax,
        bodyMax: bodyMax, writer: writer)
      let channel = InProcessChannel(
        gateway, loop: exchange.exchange.loop, peer: BrowserOrigins.peer(of: exchange))
      try await call.run(on: channel)
    } catch let error as RPCError {
      await writer.fail(error)
    } catch {
      await writer.fail(await answers.rendered(error, exchange))
    }
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
