import GreeterV1
import Protobuf
import RPC
import RPCTransport

// guide: client
/// Greets one person. The time a call may take includes waiting for the connection.
func greet(
  _ name: String, through channel: any Channel, within timeout: Duration = .seconds(5)
) async throws -> String {
  var options = CallOptions()
  options.timeout = timeout
  let client = GreeterServiceClient(channel)
  let response = try await client.greet(GreetRequest.with { $0.name = name }, options: options)
  return response.text
}
// guide: end

// guide: streaming
/// Greets all of them over one call, each before the next is asked for.
func greet(_ names: [String], through channel: any Channel) async throws -> [String] {
  let call = try await GreeterServiceClient(channel).greetMany()
  var greetings = call.responses.makeAsyncIterator()
  var texts: [String] = []
  for name in names {
    try await call.send(GreetManyRequest.with { $0.name = name })
    if let greeting = try await greetings.next() { texts.append(greeting.text) }
  }
  try await call.finishSending()
  // The status of the call comes behind its last response.
  while let greeting = try await greetings.next() { texts.append(greeting.text) }
  return texts
}
// guide: end

// guide: channel
/// A channel to that server: it connects when first used, and again when it must.
func channel(to server: HostPort, loops: EventLoops) throws -> ClientChannel {
  try ClientChannel(
    configuration: ClientConfiguration(targets: [server]), loops: loops,
    interceptors: [ClientTracing()], observer: ClientMetrics(target: "greeter"))
}
// guide: end
