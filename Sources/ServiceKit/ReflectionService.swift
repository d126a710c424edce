import GRPCReflectionV1
import GRPCReflectionV1alpha
public import RPC

/// `grpc.reflection.v1.ServerReflection`, and `v1alpha` of it, whose messages are the same on the
/// wire: what lets `buf curl` and its like call a server without its contracts.
///
/// Safe to use from any task. It tells contracts, never data.
public struct ReflectionService: RPCService {
  private let index: ReflectionIndex
  private let services: [String]

  /// - Parameters:
  ///   - services: What the server serves besides reflection.
  ///   - descriptorSets: Their contracts; those of Google, gRPC and the common types are known.
  /// - Throws: where a descriptor set is malformed, or imports what is not there.
  public init(of services: [any RPCService], descriptorSets: [[UInt8]]) throws {
    index = try ReflectionIndex(descriptorSets: descriptorSets)
    let own = [Self.v1, Self.v1alpha].map(\.service)
    self.services = Set(services.flatMap(\.methods).map(\.descriptor.service) + own).sorted()
  }

  private static let v1 = GRPCReflectionV1.ServerReflectionMethods.serverReflectionInfo
  private static let v1alpha = GRPCReflectionV1alpha.ServerReflectionMethods.serverReflectionInfo

  public var methods: [MethodHandler] {
    [.bidirectionalStreaming(Self.v1, answer), .bidirectionalStreaming(Self.v1alpha, answer)]
  }

  @Sendable private func answer(
    _ requests: RequestStream<GRPCReflectionV1.ServerReflectionRequest>,
    _ responses: ResponseWriter<GRPCReflectionV1.ServerReflectionResponse>,
    _ context: ServerContext
  ) async throws {
    // Files this stream has brought already; at most all there are.
    var sent: Set<String> = []
    for try await request in requests {
      var response = GRPCReflectionV1.ServerReflectionResponse()
      response.validHost = request.host
      response.originalRequest = request
      response.messageResponse = answer(request.messageRequest, sent: &sent)
      try await responses.send(response)
    }
  }

  private func answer(
    _ request: GRPCReflectionV1.ServerReflectionRequest.MessageRequest?, sent: inout Set<String>
  ) -> GRPCReflectionV1.ServerReflectionResponse.MessageResponse {
    switch request {
    case .fileByFilename(let name):
      return files(name, sent: &sent, sought: "file \(name)")
    case .fileContainingSymbol(let symbol):
      return files(index.file(declaring: symbol), sent: &sent, sought: "symbol \(symbol)")
    case .fileContainingExtension(let wanted):
      let file = index.file(extending: wanted.containingType, number: wanted.extensionNumber)
      let sought = "extension \(wanted.extensionNumber) of \(wanted.containingType)"
      return files(file, sent: &sent, sought: sought)
    case .allExtensionNumbersOfType(let type):
      guard let numbers = index.extensionNumbers(of: type) else {
        return error(.notFound, "there is no type \(type)")
      }
      var response = GRPCReflectionV1.ExtensionNumberResponse()
      response.baseTypeName = type
      response.extensionNumber = numbers
      return .allExtensionNumbersResponse(response)
    case .listServices:
      var response = GRPCReflectionV1.ListServiceResponse()
      response.service = services.map {
        var service = GRPCReflectionV1.ServiceResponse()
        service.name = $0
        return service
      }
      return .listServicesResponse(response)
    case nil:
      return error(.invalidArgument, "the request asks for nothing that is known")
    }
  }

  private func files(
    _ name: String?, sent: inout Set<String>, sought: String
  ) -> GRPCReflectionV1.ServerReflectionResponse.MessageResponse {
    guard let name, let files = index.closure(ofFile: name, sent: &sent) else {
      return error(.notFound, "there is no \(sought)")
    }
    var response = GRPCReflectionV1.FileDescriptorResponse()
    response.fileDescriptorProto = files
    return .fileDescriptorResponse(response)
  }

  private func error(
    _ code: RPCError.Code, _ message: String
  ) -> GRPCReflectionV1.ServerReflectionResponse.MessageResponse {
    var response = GRPCReflectionV1.ErrorResponse()
    response.errorCode = Int32(code.rawValue)
    response.errorMessage = message
    return .errorResponse(response)
  }
}
