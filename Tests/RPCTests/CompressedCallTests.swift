import RPC
import Testing

@Suite("Compressed calls", .timeLimit(.minutes(1)))
struct CompressedCallTests {
  private static let long = String(repeating: "工会 ", count: 20_000)

  private static func packed(_ encoding: MessageEncoding) -> CallOptions {
    var options = CallOptions()
    options.compression = encoding
    options.metadata = ["x-pack": .text(encoding.rawValue)]
    return options
  }

  /// Returns the message with the prefix of a compressed one.
  private static func frame(_ text: String, _ encoding: MessageEncoding) throws -> [UInt8] {
    try encoding.compress(framed: MessageFramer.frame(Text(text)))
  }

  private static func head(_ encoding: String?, _ method: MethodDescriptor) -> RequestHead {
    var fields: HeaderList = [
      ":method": "POST", ":path": method.path, "te": "trailers",
      "content-type": "application/grpc",
    ]
    if let encoding { fields.add("grpc-encoding", encoding) }
    return RequestHead(fields: fields)
  }

  @Test("request and response are compressed and decompressed", arguments: Carrier.allCases)
  func unary(_ carrier: Carrier) async throws {
    try await World.with(carrier, services: [PackedService()]) { world in
      for encoding in MessageEncoding.allCases {
        let response: ClientResponse<Text> = try await world.channel.unary(
          PackedService.unary, Text(Self.long), options: Self.packed(encoding))
        #expect(response.message.text == "true " + Self.long)
        #expect(response.wasCompressed)
      }
    }
  }

  @Test("messages of streams are compressed individually", arguments: Carrier.allCases)
  func streams(_ carrier: Carrier) async throws {
    try await World.with(carrier, services: [PackedService()]) { world in
      let call: ClientStreamingCall<Text, Text> = try await world.channel.clientStreaming(
        PackedService.collect, options: Self.packed(.deflate))
      try await call.send(Text(Self.long))
      try await call.send(Text(Self.long), compressed: false)
      try await call.send(Text(Self.long))
      let length = Self.long.utf8.count
      let collected = try await call.finish().message.text
      #expect(collected == "true \(length),false \(length),true \(length)")

      let responses: ResponseStream<Text> = try await world.channel.serverStreaming(
        PackedService.repeat, Text(Self.long), options: Self.packed(.gzip))
      var flags: [Bool] = []
      for try await response in responses {
        #expect(response.text == Self.long)
        flags.append(await responses.lastWasCompressed)
      }
      #expect(flags == [true, false, true, false])
    }
  }

  @Test("a server compresses only for a client that accepts it")
  func unasked() async throws {
    try await World.with(.inProcess, services: [PackedService()]) { world in
      var options = CallOptions()
      options.metadata = ["x-pack": "gzip"]
      var response: ClientResponse<Text> = try await world.channel.unary(
        PackedService.unary, Text(Self.long), options: options)
      #expect(!response.wasCompressed)
      options.acceptsCompression = true
      response = try await world.channel.unary(
        PackedService.unary, Text(Self.long), options: options)
      #expect(response.wasCompressed)
      #expect(response.message.text == "false " + Self.long)
    }
  }

  @Test("the list of accepted encodings is read in any form")
  func acceptLists() {
    for list in ["gzip", "identity,gzip", "identity, deflate, gzip", "deflate , gzip , br"] {
      let head = RequestHead(fields: ["grpc-accept-encoding": list])
      #expect(head.accepts(.gzip), "\(list)")
    }
    let repeated = RequestHead(fields: [
      "grpc-accept-encoding": "identity", "grpc-accept-encoding": "gzip",
    ])
    #expect(repeated.accepts(.gzip))
    for list in ["", "identity", "gzipped", "x-gzip,deflate", "gz ip"] {
      #expect(!RequestHead(fields: ["grpc-accept-encoding": list]).accepts(.gzip), "\(list)")
    }
  }

  @Test("a message that does not get smaller is sent uncompressed")
  func small() throws {
    let framed = try MessageFramer.frame(Text("x"))
    #expect(try MessageEncoding.gzip.compress(framed: framed) == framed)
  }

  @Test("a compression flag without an encoding, and invalid data, are INTERNAL")
  func malformed() async throws {
    try await World.with(.sockets, services: [PackedService()]) { world in
      let good = try Self.frame(Self.long, .gzip)
      var damaged = good
      damaged[damaged.count / 2] ^= 0xff
      let empty: [UInt8] = [1, 0, 0, 0, 0]
      for method in [PackedService.unary, PackedService.collect, PackedService.repeat] {
        for (encoding, body) in [
          (nil, good), ("identity", good), ("deflate", good), ("gzip", damaged), ("gzip", empty),
        ] {
          let exchange = try await world.channel.openExchange(Self.head(encoding, method))
          try await exchange.send(body)
          await exchange.finish()
          let head = try await exchange.head()
          #expect(head["grpc-status"] == "13", "\(method) \(encoding ?? "none")")
        }
      }
      #expect(try await world.channel.echo("still here") == "still here")
    }
  }

  @Test("a decompression bomb is RESOURCE_EXHAUSTED, on a server and on a client")
  func bombs() async throws {
    let bomb = String(repeating: " ", count: 5 << 20)
    let service = PackedService()
    try await World.with(.sockets, services: [service]) { world in
      for method in [PackedService.unary, PackedService.collect, PackedService.repeat] {
        let exchange = try await world.channel.openExchange(Self.head("gzip", method))
        try await exchange.send(Self.frame(bomb, .gzip))
        await exchange.finish()
        #expect(try await exchange.head()["grpc-status"] == "8", "\(method)")
      }
      var options = Self.packed(.gzip)
      options.messageBytesMax = 100_000
      let refused = await failure {
        let _: ClientResponse<Text> = try await world.channel.unary(
          PackedService.unary, Text(Self.long), options: options)
      }
      #expect(refused?.code == .resourceExhausted)
    }
  }
}
