import RPC
import RPCInProcess
import Testing

@testable import GatewayCore

@Suite("Hostile metadata")
struct HostileTests {
  private static let path = "/grpc.testing.TestService/EmptyCall"

  /// Returns the response to a hand-written head.
  private func answer(
    path: String = HostileTests.path, _ extra: (inout HeaderList) -> Void
  ) async throws -> (error: RPCError?, seen: RequestHead?) {
    let backend = AnyBackend()
    let inner = InProcessChannel(
      Dispatcher(router: try Router(services: []), handlers: [backend]))
    let edge = try TestGateway(inner).edge()
    var fields: HeaderList = [
      ":method": "POST", ":path": path, "content-type": "application/grpc",
    ]
    extra(&fields)
    let exchange = try await edge.openExchange(RequestHead(fields: fields))
    await exchange.finish()
    return (try await exchange.outcome(), backend.heads.value.first)
  }

  @Test("a caller cannot impersonate another by its header fields")
  func forged() async throws {
    let (error, seen) = try await answer { fields in
      fields.add("x-api-key", TestGateway.partnerKey)
      fields.add("yijia-caller-bin", "AAAA")
      fields.add("yijia-caller-bin", "not base64 !")
      fields.add("yijia-staff-role", "administrator")
      fields.add("x-forwarded-client-cert", "URI=spiffe://yijia/stations")
    }
    #expect(error == nil)
    let head = try #require(seen)
    let names = (0..<head.fields.count).map { head.fields.name(at: $0) }
    #expect(names.filter { $0.hasPrefix("yijia-") } == ["yijia-caller-bin"])
    #expect(!names.contains("x-api-key"))
  }

  @Test("values that are not text are forwarded or refused, and break nothing")
  func bytes() async throws {
    let noise: [UInt8] = [0xff, 0xfe, 0x00, 0x80, 0x0d, 0x0a]
    let (error, seen) = try await answer { fields in
      fields.add("x-api-key", TestGateway.partnerKey)
      fields.add(name: Array("x-noise".utf8).span.bytes, value: noise.span.bytes)
      fields.add(name: Array("accept-language".utf8).span.bytes, value: noise.span.bytes)
    }
    #expect(error == nil)
    let index = try #require(seen?.fields.firstIndex(of: "x-noise"))
    #expect(seen?.fields.valueBytes(at: index) == noise)
    let refused = try await answer { fields in
      fields.add(name: Array("x-api-key".utf8).span.bytes, value: noise.span.bytes)
      fields.add(name: Array("accept-language".utf8).span.bytes, value: noise.span.bytes)
    }
    #expect(refused.error?.gatewayReason == "CALLER_UNPROVEN")
    #expect(refused.error?.localized?.locale == "zh-CN")
  }

  @Test("a huge path is not repeated in the response")
  func longPath() async throws {
    let path = "/" + String(repeating: "é", count: 7_000) + "/x"
    let (error, _) = try await answer(path: path) { _ in }
    #expect(error?.code == .unimplemented)
    #expect((error?.message.utf8.count ?? .max) < 500)
    #expect((error?.details.count ?? .max) < 1_500)
  }

  @Test("many fields of the same name cost no more than their bytes")
  func manyFields() async throws {
    let (error, seen) = try await answer { fields in
      fields.add("x-api-key", TestGateway.partnerKey)
      for number in 0..<100 { fields.add("x-many", "\(number)") }
    }
    #expect(error == nil)
    let fields = try #require(seen?.fields)
    #expect((0..<fields.count).count { fields.hasName("x-many", at: $0) } == 100)
  }

  @Test("any accept-language selects one of the two languages")
  func languages() async throws {
    for (value, locale) in [
      ("", "zh-CN"), ("*", "zh-CN"), ("en-GB;q=0.9,zh;q=0.8", "en"), ("en;q=nonsense", "zh-CN"),
      (String(repeating: "en,", count: 4_000), "en"), (";;;,,,q=1", "zh-CN"),
    ] {
      let (error, _) = try await answer { $0.add("accept-language", value) }
      #expect(error?.localized?.locale == locale, "\(value.prefix(30))")
    }
  }
}
