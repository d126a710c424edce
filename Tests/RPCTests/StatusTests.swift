import HTTP2
import RPC
import RPCTransport
import Testing

/// A client's interpretation of responses, valid and invalid, over a real connection.
@Suite("Statuses of responses", .timeLimit(.minutes(1)))
struct StatusTests {
  private static let grpc = [(":status", "200"), ("content-type", "application/grpc")]
  private static let one: [UInt8] = [0, 0, 0, 0, 1, UInt8(ascii: "x")]

  /// One response and the status that a unary call gets from it.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    var head: [(String, String)] = StatusTests.grpc
    var body: [UInt8]?
    var trailers: [(String, String)]?
    var endsStream = false
    var reset: ErrorCode?
    /// Nil is OK.
    let code: RPCError.Code?
    var message: String?
    var isRemote: Bool?

    var testDescription: String { name }
  }

  private static func headOnly(_ status: String, _ code: RPCError.Code) -> Case {
    Case(name: "HTTP \(status)", head: [(":status", status)], endsStream: true, code: code)
  }

  private static func reset(
    _ reset: ErrorCode, _ code: RPCError.Code, _ detail: String = ""
  ) -> Case {
    Case(
      name: "RST_STREAM \(reset.rawValue)", head: [], reset: reset, code: code,
      message: "the stream was reset with code \(reset.rawValue)\(detail)")
  }

  private static func failed(
    _ name: String, _ fields: [(String, String)], _ code: RPCError.Code, _ message: String? = nil
  ) -> Case {
    Case(
      name: name, head: grpc + fields, endsStream: true, code: code, message: message,
      isRemote: true)
  }

  static let cases: [Case] =
    [
      Case(name: "well", body: one, trailers: [("grpc-status", "0")], code: nil),
      headOnly("400", .internalError), headOnly("401", .unauthenticated),
      headOnly("403", .permissionDenied), headOnly("404", .unimplemented),
      headOnly("429", .unavailable), headOnly("502", .unavailable),
      headOnly("503", .unavailable), headOnly("504", .unavailable), headOnly("418", .unknown),
      headOnly("200", .unknown),
      reset(.noError, .internalError), reset(.protocolError, .internalError),
      reset(.internalError, .internalError), reset(.cancel, .cancelled),
      reset(
        .enhanceYourCalm, .resourceExhausted,
        ": the peer has no bandwidth for so much (ENHANCE_YOUR_CALM)"),
      reset(
        .inadequateSecurity, .permissionDenied,
        ": the connection is not secure enough for the call (INADEQUATE_SECURITY)"),
      reset(.flowControlError, .internalError), reset(.connectError, .internalError),
      Case(name: "no grpc-status", body: one, trailers: [("x-other", "1")], code: .unknown),
      Case(
        name: "an HTTP error with a grpc-status",
        head: [(":status", "503"), ("grpc-status", "5"), ("grpc-message", "mine")],
        endsStream: true, code: .notFound, message: "mine", isRemote: true),
      Case(
        name: "another content type",
        head: [(":status", "200"), ("content-type", "text/html")], body: one,
        trailers: [("grpc-status", "0")], code: .unknown),
      failed("Trailers-Only", [("grpc-status", "5"), ("grpc-message", "no")], .notFound, "no"),
      failed(
        "a code that is unknown", [("grpc-status", "99")], .unknown, "the status 99 is not known"),
      failed("a code that is no number", [("grpc-status", "five")], .unknown),
      failed("a code with a sign", [("grpc-status", "+0")], .unknown),
      failed("a status twice", [("grpc-status", "5"), ("grpc-status", "5")], .notFound),
      failed("two statuses", [("grpc-status", "0"), ("grpc-status", "5")], .unknown),
      failed("two statuses, OK last", [("grpc-status", "5"), ("grpc-status", "0")], .unknown),
      failed(
        "a percent-encoded message", [("grpc-status", "2"), ("grpc-message", "%E9%A9%BF%20x")],
        .unknown, "驿 x"),
      failed(
        "a message that ends with a space", [("grpc-status", "2"), ("grpc-message", "no: ")],
        .unknown, "no: "),
      failed(
        "a broken percent encoding", [("grpc-status", "2"), ("grpc-message", "%zz%E")], .unknown,
        "%zz%E"),
      failed(
        "details that are no base64",
        [("grpc-status", "2"), ("grpc-status-details-bin", "!!!")], .unknown),
      Case(name: "no message", trailers: [("grpc-status", "0")], code: .unimplemented),
      Case(
        name: "Trailers-Only, OK", head: grpc + [("grpc-status", "0")], endsStream: true,
        code: .unimplemented),
      Case(
        name: "two messages", body: one + one, trailers: [("grpc-status", "0")],
        code: .unimplemented),
      Case(
        name: "a message and half a one", body: one + one.dropLast(),
        trailers: [("grpc-status", "0")], code: .internalError),
      Case(
        name: "half a message", body: [0, 0, 0, 0, 9, 1], trailers: [("grpc-status", "0")],
        code: .internalError),
      Case(
        name: "half a prefix", body: [0, 0], trailers: [("grpc-status", "0")],
        code: .internalError),
      Case(
        name: "an unknown flag", body: [2, 0, 0, 0, 0], trailers: [("grpc-status", "0")],
        code: .internalError),
      Case(
        name: "compressed without an encoding", body: [1, 0, 0, 0, 1, 0],
        trailers: [("grpc-status", "0")], code: .internalError),
      Case(
        name: "compressed with an unknown encoding", head: grpc + [("grpc-encoding", "br")],
        body: [1, 0, 0, 0, 1, 0], trailers: [("grpc-status", "0")], code: .internalError),
      Case(name: "a message over the limit", body: [0, 0x7f, 0, 0, 0], code: .resourceExhausted),
      Case(
        name: "a status behind a message", body: one,
        trailers: [("grpc-status", "9"), ("grpc-message", "late")], code: .failedPrecondition,
        message: "late", isRemote: true),
      Case(name: "reset behind the head", reset: .internalError, code: .internalError),
      Case(name: "reset behind a message", body: one, reset: .noError, code: .internalError),
    ]

  @Test("each response has the status that gRPC's documents specify", arguments: cases)
  func status(of test: Case) async throws {
    try await ScriptedServer.withClient { turn in
      guard let stream = turn.endedRequest else { return }
      if !test.head.isEmpty {
        turn.answer(
          stream, test.head, body: test.body, trailers: test.trailers, endsStream: test.endsStream)
      }
      if let reset = test.reset {
        // Earlier output is sent first.
        _ = try? turn.session.drain(limit: 0) { _ in }
        turn.session.reset(stream, reset)
      }
    } _: { channel in
      let error = await failure { _ = try await channel.echo("x") }
      #expect(error?.code == test.code, "\(error?.description ?? "OK")")
      if let message = test.message { #expect(error?.message == message) }
      if let isRemote = test.isRemote { #expect(error?.isRemote == isRemote) }
    }
  }

  @Test(
    "a stream of responses that ends in the middle of a message has the status of its trailers",
    arguments: [
      ([("grpc-status", "14"), ("grpc-message", "gone")], .unavailable),
      ([("grpc-status", "0")], .internalError),
    ] as [([(String, String)], RPCError.Code)])
  func cutStream(_ trailers: [(String, String)], _ code: RPCError.Code) async throws {
    try await ScriptedServer.withClient { turn in
      guard let stream = turn.endedRequest else { return }
      turn.answer(stream, Self.grpc, body: Self.one + Self.one.dropLast(), trailers: trailers)
    } _: { channel in
      let responses: ResponseStream<Text> = try await channel.serverStreaming(
        EchoService.repeat, Text("x"))
      var iterator = responses.makeAsyncIterator()
      #expect(try await iterator.next()?.text == "x")
      for _ in 0..<2 {
        let error = await failure { _ = try await iterator.next() }
        #expect(error?.code == code)
        #expect(error?.isRemote == (code == .unavailable))
      }
    }
  }

  @Test("a response whose header list is over the limit fails the call, not the connection")
  func headerLimit() async throws {
    let much = (0..<200).map { ("x-\($0)", String(repeating: "y", count: 100)) }
    try await ScriptedServer.withClient { turn in
      guard let stream = turn.endedRequest else { return }
      if turn.request == 1 {
        turn.answer(stream, Self.grpc + much, body: Self.one, trailers: [("grpc-status", "0")])
      } else if turn.request == 2 {
        turn.answer(stream, Self.grpc, body: Self.one, trailers: [("grpc-status", "0")] + much)
      } else {
        turn.answerWell(stream)
      }
    } _: { channel in
      for _ in 0..<2 {
        #expect(await failure { _ = try await channel.echo("x") }?.code == .resourceExhausted)
      }
      let answer1 = try await channel.echo("x")
      #expect(answer1 == "x")
    }
  }

  @Test("the metadata of a Trailers-Only response is trailing metadata, with OK too")
  func trailersOnly() async throws {
    try await ScriptedServer.withClient { turn in
      guard let stream = turn.endedRequest else { return }
      turn.answer(stream, Self.grpc + [("grpc-status", "0"), ("x-a", "1")], endsStream: true)
    } _: { channel in
      let responses: ResponseStream<Text> = try await channel.serverStreaming(
        EchoService.repeat, Text("0"))
      for try await _ in responses { Issue.record("there is no message") }
      #expect(try await responses.headers.isEmpty)
      #expect(try await responses.trailers[text: "x-a"] == "1")
    }
  }

  @Test("a lost connection is UNAVAILABLE")
  func lost() async throws {
    try await ScriptedServer.withClient { turn in
      if turn.endedRequest != nil { turn.close() }
    } _: { channel in
      #expect(await failure { _ = try await channel.echo("x") }?.code == .unavailable)
    }
  }

  @Test("a deadline that passes is DEADLINE_EXCEEDED, a cancelled task CANCELLED")
  func deadline() async throws {
    let witness = Witness()
    try await ScriptedServer.withClient { turn in
      if turn.endedRequest != nil { witness.note("asked") }
    } _: { channel in
      var options = CallOptions()
      options.timeout = .milliseconds(20)
      let late = options
      #expect(
        await failure { _ = try await channel.echo("x", options: late) }?.code
          == .deadlineExceeded)
      let task = Task { await failure { _ = try await channel.echo("x") } }
      await witness.saw("asked")
      task.cancel()
      #expect(await task.value?.code == .cancelled)
    }
  }
}
