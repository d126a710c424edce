// guide: service
import GoogleProtobuf
import GoogleRPC
import GreeterV1
import Protobuf
import RPC

struct Greeter: GreeterServiceProtocol {
  func greet(
    _ request: GreetRequest, context: ServerContext
  ) async throws -> GreetResponse {
    let name = try checked(request.name)
    return GreetResponse.with { $0.text = "Hello, \(name)!" }
  }

  func greetMany(
    _ requests: RequestStream<GreetManyRequest>, responses: ResponseWriter<GreetManyResponse>,
    context: ServerContext
  ) async throws {
    for try await request in requests {
      let name = try checked(request.name)
      try await responses.send(GreetManyResponse.with { $0.text = "Hello, \(name)!" })
    }
  }
}
// guide: end

extension Greeter {
  // guide: details
  /// A name that may be greeted, or a status that says which field is wrong.
  private func checked(_ name: String) throws -> String {
    guard (1...100).contains(name.utf8.count) else {
      var wrong = BadRequest.FieldViolation()
      wrong.field = "name"
      wrong.description_ = "1 to 100 bytes"
      var request = BadRequest()
      request.fieldViolations = [wrong]
      var status = Status()
      status.code = Int32(RPCError.Code.invalidArgument.rawValue)
      status.message = "name: 1 to 100 bytes"
      status.details = [try AnyMessage(packing: request)]
      throw RPCError(.invalidArgument, status.message, details: try status.wireBytes())
    }
    return name
  }
  // guide: end
}
