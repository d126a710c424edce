import Foundation
import RPC
import RPCTransport

// guide: main
let loops = EventLoops()
let arguments = CommandLine.arguments.dropFirst()
let address = HostPort(host: "127.0.0.1", port: 50_051)

if arguments.first == "serve" {
  do {
    let (_, taken) = try await startServer(on: address, loops: loops)
    print("listening on \(taken); Ctrl-C ends it")
    // The server runs on its own threads: until a signal comes there is nothing to do here.
    while true { try await Task.sleep(for: .seconds(3600)) }
  } catch {
    fail("\(error)")
  }
} else {
  let channel = try channel(to: address, loops: loops)
  do {
    print(try await greet(arguments.first ?? "world", through: channel))
  } catch let error as RPCError {
    fail("\(error.code.name): \(error.message)")
  }
  await channel.shutdown()
  try await loops.shutdown()
}

func fail(_ reason: String) -> Never {
  FileHandle.standardError.write(Data("\(reason)\n".utf8))
  exit(1)
}
// guide: end
