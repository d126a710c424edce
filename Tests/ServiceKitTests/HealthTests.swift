import GRPCHealthV1
import RPC
import RPCInProcess
import ServiceKit
import Testing

@Suite("Health", .timeLimit(.minutes(1)))
struct HealthTests {
  private static func client(_ registry: HealthRegistry) throws -> HealthClient {
    HealthClient(try InProcessChannel(services: [HealthService(registry: registry)]))
  }

  private static func asking(_ service: String) -> HealthCheckRequest {
    var request = HealthCheckRequest()
    request.service = service
    return request
  }

  @Test("Check returns the status of a service and of the whole, and NOT_FOUND for others")
  func check() async throws {
    let registry = HealthRegistry()
    let client = try Self.client(registry)
    #expect(try await client.check(Self.asking("")).status == .notServing)
    registry.set("", .serving)
    registry.set("a.B", .notServing)
    #expect(try await client.check(Self.asking("")).status == .serving)
    #expect(try await client.check(Self.asking("a.B")).status == .notServing)
    do {
      _ = try await client.check(Self.asking("a.C"))
      Issue.record("an unknown service was found")
    } catch let error as RPCError {
      #expect(error.code == .notFound)
    }
  }

  @Test("List returns all statuses")
  func list() async throws {
    let registry = HealthRegistry()
    registry.set("", .serving)
    registry.set("a.B", .notServing)
    let statuses = try await Self.client(registry).list(HealthListRequest()).statuses
    #expect(statuses.mapValues(\.status) == ["": .serving, "a.B": .notServing])
  }

  @Test("Watch answers at once, then at each change, and reports services added later")
  func watch() async throws {
    let registry = HealthRegistry()
    let watch = try await Self.client(registry).watch(Self.asking("a.B"))
    var statuses = watch.makeAsyncIterator()
    #expect(try await statuses.next()?.status == .serviceUnknown)
    registry.set("other", .serving)
    registry.set("a.B", .serving)
    #expect(try await statuses.next()?.status == .serving)
    registry.set("a.B", .serving)
    registry.set("a.B", .notServing)
    #expect(try await statuses.next()?.status == .notServing)
    watch.cancel()
  }
}
