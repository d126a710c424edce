import Foundation
import GoogleProtobuf
import GoogleRPC
import GreeterV1
import Protobuf
import RPC
import RPCInProcess
import RPCTransport
import Synchronization
import Testing

@testable import greeter

/// Runs the code of docs/guide.md, and checks that the guide quotes it.
@Suite("The guide")
struct GuideTests {
  // guide: test
  @Test("a greeting names who is greeted")
  func greeting() async throws {
    let channel = try InProcessChannel(services: [Greeter()])
    #expect(try await greet("Li Hua", through: channel) == "Hello, Li Hua!")
  }
  // guide: end

  @Test("a stream answers each name before the next is sent")
  func streaming() async throws {
    let channel = try InProcessChannel(services: [Greeter()])
    let texts = try await greet(["A", "B"], through: channel)
    #expect(texts == ["Hello, A!", "Hello, B!"])
  }

  /// Notes the codes that calls end with; nil is OK.
  private final class Ends: ClientObserver, ClientCallObserver {
    let codes = Mutex<[RPCError.Code?]>([])

    func callStarted(_ method: MethodDescriptor) -> any ClientCallObserver { self }
    func attemptStarted(_ attempt: Int, metadata: inout Metadata) {}
    func attemptEnded(_ attempt: Int, _ outcome: AttemptOutcome) {}
    func callEnded(_ error: RPCError?) { codes.withLock { $0.append(error?.code) } }
  }

  @Test("a stream is read to its end, so that the call ends with its status")
  func streamsEnd() async throws {
    let ends = Ends()
    let channel = try InProcessChannel(services: [Greeter()])
      .with(ChannelPolicy(observer: ends))
    _ = try await greet(["A"], through: channel)
    #expect(ends.codes.withLock { $0 } == [nil])
  }

  @Test("an invalid name is refused with the field in the details")
  func details() async throws {
    let channel = try InProcessChannel(services: [Greeter()])
    let error = try #require(
      await #expect(throws: RPCError.self) { try await greet("", through: channel) })
    #expect(error.code == .invalidArgument)
    let status = try Status(wireBytes: error.details)
    let request = try #require(try status.details.first?.unpack(BadRequest.self))
    #expect(request.fieldViolations.map(\.field) == ["name"])
  }

  /// Tells whether the call has a deadline that is at most a minute away.
  private struct Hurried: GreeterServiceProtocol {
    func greet(
      _ request: GreetRequest, context: ServerContext
    ) async throws -> GreetResponse {
      let isBounded = context.deadline.map { $0.remaining <= .seconds(60) } ?? false
      return GreetResponse.with { $0.text = isBounded ? "within a minute" : "whenever" }
    }
  }

  @Test("a handler's own call has the deadline of the call that it answers")
  func relay() async throws {
    let inner = try InProcessChannel(services: [Hurried()])
    let channel = try InProcessChannel(services: [Relay(channel: inner)])
    let greeting = try await greet("Li Hua", through: channel, within: .seconds(60))
    #expect(greeting == "within a minute")
  }

  @Test("the guide's server and client communicate over a socket")
  func sockets() async throws {
    let loops = EventLoops()
    let (server, address) = try await startServer(
      on: HostPort(host: "127.0.0.1", port: 0), loops: loops)
    let channel = try channel(to: address, loops: loops)
    let greeting = try await greet("there", through: channel, within: .seconds(60))
    #expect(greeting == "Hello, there!")
    await channel.shutdown()
    await server.shutdown()
    try await loops.shutdown()
  }

  @Test(
    "every quote equals its file, and every marked place is quoted",
    arguments: [
      ("docs/guide.md", ["examples/greeter", "Tests/GuideTests"]),
      ("docs/partners.md", ["examples/partner"]),
      ("docs/partners.zh-CN.md", ["examples/partner"]),
    ])
  func quotes(_ page: String, _ folders: [String]) throws {
    let root = URL(filePath: #filePath).resolvingSymlinksInPath()
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let guide = try String(contentsOf: root.appending(path: page), encoding: .utf8)
    var quoted: Set<String> = []
    for quote in Self.quotes(in: guide) {
      let file = root.appending(path: quote.path)
      let text = try String(contentsOf: file, encoding: .utf8)
      let place = "\(quote.path)#\(quote.name)"
      let wanted = quote.name == "all" ? text : Self.places(in: text)[quote.name]
      #expect(wanted == quote.text, "\(page) quotes \(place) otherwise: copy it anew")
      quoted.insert(place)
    }
    #expect(quoted.count > 5)
    for folder in folders {
      let names = try FileManager.default.contentsOfDirectory(
        atPath: root.appending(path: folder).path)
      for path in names.map({ "\(folder)/\($0)" }) {
        let text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
        for name in Self.places(in: text).keys {
          #expect(quoted.contains("\(path)#\(name)"), "\(page) does not quote \(path)#\(name)")
        }
      }
    }
  }

  /// Parses `<!-- path#name -->`, followed by a code block.
  private static func quotes(in guide: String) -> [(path: String, name: String, text: String)] {
    var quotes: [(String, String, String)] = []
    var lines = guide.split(separator: "\n", omittingEmptySubsequences: false)[...]
    while let line = lines.popFirst() {
      guard line.hasPrefix("<!-- "), line.hasSuffix(" -->"), line.contains("#") else { continue }
      let parts = line.dropFirst(5).dropLast(4).split(separator: "#")
      guard parts.count == 2, lines.popFirst()?.hasPrefix("```") == true else { continue }
      let block = lines.prefix { $0 != "```" }
      lines = lines.dropFirst(block.count)
      let text = block.map { $0 + "\n" }.joined()
      quotes.append((String(parts[0]), String(parts[1]), text))
    }
    return quotes
  }

  /// Returns the text between `// guide: name` and `// guide: end`, or the same with `#`, without
  /// the indentation of the marker.
  private static func places(in text: String) -> [String: String] {
    var places: [String: String] = [:]
    var open: (name: String, indent: Int, text: String)?
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      let indent = line.prefix { $0 == " " }.count
      let content = line.dropFirst(indent)
      let mark = ["// guide: ", "# guide: "].first(where: content.hasPrefix)
      let name = mark.map { String(content.dropFirst($0.count)) }
      if name == "end", let place = open {
        places[place.name] = place.text
        open = nil
      } else if let name {
        open = (name, indent, "")
      } else if let place = open {
        open?.text += line.dropFirst(min(place.indent, indent)) + "\n"
      }
    }
    return places
  }
}
