import GRPCHealthV1
import GRPCReflectionV1
import GRPCReflectionV1alpha
import GoogleProtobuf
import Protobuf
import RPC
import RPCInProcess
import Testing

@testable import ServiceKit

@Suite("Reflection")
struct ReflectionTests {
  private typealias Request = GRPCReflectionV1.ServerReflectionRequest
  private typealias Response = GRPCReflectionV1.ServerReflectionResponse

  /// Sends these requests on one stream and returns the responses.
  private static func ask(
    _ questions: [Request.MessageRequest?],
    by method: MethodDescriptor = GRPCReflectionV1.ServerReflectionMethods.serverReflectionInfo
  ) async throws -> [Response.MessageResponse?] {
    let health = HealthService(registry: HealthRegistry())
    let channel = try InProcessChannel(
      services: [health, ReflectionService(of: [health], descriptorSets: [])])
    let call: BidirectionalCall<Request, Response> = try await channel.bidirectionalStreaming(
      method)
    var answers = call.responses.makeAsyncIterator()
    var found: [Response.MessageResponse?] = []
    for question in questions {
      var request = Request()
      request.host = "here"
      request.messageRequest = question
      try await call.send(request)
      let answer = try #require(try await answers.next())
      #expect(answer.validHost == "here")
      #expect(answer.originalRequest == request)
      found.append(answer.messageResponse)
    }
    try await call.finishSending()
    #expect(try await answers.next() == nil)
    return found
  }

  private static func names(_ answer: Response.MessageResponse?) throws -> [String] {
    guard case .fileDescriptorResponse(let files) = answer else { return ["no files"] }
    return try files.fileDescriptorProto.map { try FileDescriptorProto(wireBytes: $0).name }
  }

  private static func code(_ answer: Response.MessageResponse?) -> RPCError.Code? {
    guard case .errorResponse(let error) = answer else { return nil }
    return RPCError.Code(rawValue: Int(error.errorCode))
  }

  @Test(
    "the services are listed, including reflection, in both versions",
    arguments: [
      GRPCReflectionV1.ServerReflectionMethods.serverReflectionInfo,
      GRPCReflectionV1alpha.ServerReflectionMethods.serverReflectionInfo,
    ])
  func services(_ method: MethodDescriptor) async throws {
    let answer = try await Self.ask([.listServices("")], by: method)[0]
    guard case .listServicesResponse(let list) = answer else {
      Issue.record("no list but \(String(describing: answer))")
      return
    }
    #expect(
      list.service.map(\.name) == [
        "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
      ])
  }

  @Test(
    "a file is found by each kind of symbol in it",
    arguments: [
      "grpc.health.v1.Health", "grpc.health.v1.Health.Check", "grpc.health.v1.HealthCheckRequest",
      "grpc.health.v1.HealthCheckRequest.service",
      "grpc.health.v1.HealthCheckResponse.ServingStatus",
      "grpc.health.v1.HealthCheckResponse.NOT_SERVING",
    ])
  func symbols(_ symbol: String) async throws {
    let answer = try await Self.ask([.fileContainingSymbol(symbol)])[0]
    #expect(try Self.names(answer) == ["grpc/health/v1/health.proto"])
  }

  @Test("a file is sent with everything that it imports, once per stream")
  func dependencies() async throws {
    let name = "google/api/annotations.proto"
    let answers = try await Self.ask([
      .fileByFilename(name), .fileByFilename(name), .fileByFilename("google/api/http.proto"),
    ])
    #expect(
      try Set(Self.names(answers[0])) == [
        name, "google/api/http.proto", "google/protobuf/descriptor.proto",
      ])
    #expect(try Self.names(answers[0]).first == name)
    #expect(try Self.names(answers[1]) == [name])
    #expect(try Self.names(answers[2]) == ["google/api/http.proto"])
  }

  @Test("a file is sent as it was compiled, including options")
  func bytes() async throws {
    let answer = try await Self.ask([.fileContainingSymbol("yijia.type.v1.Policy")])[0]
    guard case .fileDescriptorResponse(let files) = answer else {
      Issue.record("no files")
      return
    }
    let file = try FileDescriptorProto(wireBytes: try #require(files.fileDescriptorProto.first))
    #expect(file.messageType.map(\.name).contains("Policy"))
    #expect(file.extension.first?.extendee == ".google.protobuf.MethodOptions")
  }

  @Test("extensions are found by type and number, and their numbers listed")
  func extensions() async throws {
    var known = GRPCReflectionV1.ExtensionRequest()
    known.containingType = "google.protobuf.MethodOptions"
    known.extensionNumber = 50601
    var unknown = known
    unknown.extensionNumber = 4
    let answers = try await Self.ask([
      .fileContainingExtension(known), .fileContainingExtension(unknown),
      .allExtensionNumbersOfType("google.protobuf.MethodOptions"),
      .allExtensionNumbersOfType("grpc.health.v1.HealthCheckRequest"),
      .allExtensionNumbersOfType("no.such.Type"),
    ])
    #expect(try Self.names(answers[0]).first == "yijia/type/v1/policy.proto")
    #expect(Self.code(answers[1]) == .notFound)
    guard case .allExtensionNumbersResponse(let numbers) = answers[2],
      case .allExtensionNumbersResponse(let none) = answers[3]
    else {
      Issue.record("no numbers")
      return
    }
    #expect(numbers.baseTypeName == "google.protobuf.MethodOptions")
    #expect(numbers.extensionNumber.contains(50601))
    #expect(numbers.extensionNumber.contains(72_295_728))
    #expect(none.extensionNumber.isEmpty)
    #expect(Self.code(answers[4]) == .notFound)
  }

  @Test("an unknown symbol is an error in its response, and the stream continues")
  func errors() async throws {
    let answers = try await Self.ask([
      .fileByFilename("no.proto"), .fileContainingSymbol("no.such"), .fileContainingSymbol(""),
      nil, .fileContainingSymbol("grpc.health.v1.Health"),
    ])
    #expect(answers.prefix(3).map(Self.code) == [.notFound, .notFound, .notFound])
    #expect(Self.code(answers[3]) == .invalidArgument)
    #expect(try Self.names(answers[4]).count == 1)
  }

  @Test("a contract with a missing import is refused at start")
  func missing() throws {
    var file = FileDescriptorProto()
    file.name = "a.proto"
    file.dependency = ["b.proto"]
    var set = FileDescriptorSet()
    set.file = [file]
    let bytes = try set.wireBytes()
    #expect(throws: ConfigurationError.self) {
      try ReflectionService(of: [], descriptorSets: [bytes])
    }
  }
}
