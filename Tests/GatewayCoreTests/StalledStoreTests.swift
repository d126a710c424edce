import Logging
import RPC
import RPCInProcess
import ServiceKit
import Storage
import Testing

@testable import GatewayCore

@Suite("A store that does not answer", .timeLimit(.minutes(2)))
struct StalledStoreTests {
  private let database = StalledDatabase()
  private let edge: InProcessChannel
  private let store: GatewayStore

  init() throws {
    let ring = { LiveKeyring(Keyring.generate(at: TestGateway.clock.now)) }
    store = GatewayStore(
      database: database, keys: GatewayKeys(fields: ring(), hashes: ring(), pageTokens: ring()),
      passwords: PasswordHasher(cost: PasswordHash.Cost(logarithm: 4, parallelism: 1)),
      clock: TestGateway.clock)
    edge = try TestGateway(InProcessChannel(services: [EchoService()]), store: store).edge()
  }

  private static func secret(_ number: Int) -> String {
    let digits = String(number, radix: 16)
    return "yjp_" + String(repeating: "0", count: 64 - digits.count) + digits
  }

  @Test("a call with a key waits until its deadline at most")
  func deadline() async throws {
    let error = try await edge.outcome(
      TestGateway.echoPath, AccountsWorld.key(Self.secret(1)), timeout: .milliseconds(20))
    #expect(error?.code == .deadlineExceeded)
    #expect(error?.gatewayReason == "DEADLINE_EXCEEDED")
    #expect(try await edge.outcome(TestGateway.echoPath, TestCaller.partner.metadata) == nil)
  }

  @Test("calls with one key share a look-up, however many they are")
  func burst() async throws {
    let edge = edge
    await withTaskGroup(of: String?.self) { group in
      for _ in 0..<200 {
        group.addTask {
          do {
            return try await edge.outcome(
              TestGateway.echoPath, AccountsWorld.key(Self.secret(1)), timeout: .seconds(1)
            )?.gatewayReason
          } catch {
            return "\(error)"
          }
        }
      }
      for await reason in group { #expect(reason == "DEADLINE_EXCEEDED") }
    }
  }

  @Test("look-ups of invented keys are limited; cached keys are served meanwhile")
  func invented() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<64 {
        let hash = try #require(CredentialHash(of: Array(Self.secret(number).utf8)))
        group.addTask { [store] in _ = try await store.directory.find(hash, .key) }
      }
      await database.reads.reaches(64)
      let error = try await edge.outcome(
        TestGateway.echoPath, AccountsWorld.key(Self.secret(64)))
      #expect(error?.gatewayReason == "STORAGE_BUSY")
      #expect(try await edge.outcome(TestGateway.echoPath, TestCaller.partner.metadata) == nil)
      group.cancelAll()
    }
    #expect(database.reads.value == 64)
  }
}

/// A store whose reads last until they are cancelled.
private final class StalledDatabase: Database {
  let reads = Counter()

  var dialect: SQLDialect { .sqlite }
  var statistics: WriterStatistics { WriterStatistics() }

  func read(all queries: [AnyQuery]) async throws -> ReadResults {
    reads.add()
    await untilCancelled()
    throw CancellationError()
  }

  func write<Reply: Sendable>(
    _ step: @escaping @Sendable () throws -> Step<Reply>
  ) async throws -> Reply {
    throw StorageError.closed
  }

  func feedChanges() -> AsyncStream<Void> { AsyncStream { $0.finish() } }
  func migrate(_ migrations: [Migration]) async throws {}
  func failure() async -> StorageError? { nil }
  func close() async {}
}
