import Foundation
import GoogleProtobuf
import GoogleType
import MembersV1
import RPC
import RPCInProcess
import ServiceKit
import StationsV1
import Storage
import Synchronization
import TestStores
import Testing
import YijiaTypeV1

@testable import StationsCore

/// A stations service on a store in a temporary folder, with a fake members service. Only the
/// caller is stated instead of authenticated.
struct World: Sendable {
  let store: TestStore
  let database: any Database
  let clock: TestClock
  let members: FakeMembers
  var service: StationsService
  let feed: MembersFeed

  /// Runs `body` with a new service on each engine, and cleans up.
  ///
  /// - Parameter clock: Creates the clock of each run.
  static func run(
    _ configuration: StationsConfiguration = StationsConfiguration(),
    clock: @autoclosure () -> TestClock = TestClock(),
    _ body: (World) async throws -> Void
  ) async throws {
    for engine in Engine.allCases {
      try await engine.withStore { store in
        try await store.with { database in
          try await body(try await World(store, database, configuration, clock()))
        }
      }
    }
  }

  private init(
    _ store: TestStore, _ database: any Database, _ configuration: StationsConfiguration,
    _ clock: TestClock
  ) async throws {
    self.store = store
    self.database = database
    self.clock = clock
    members = FakeMembers()
    try await database.migrate(StationsMigrations.all)
    let channel = try InProcessChannel(services: [members])
    let keys = StationsKeys(
      fields: LiveKeyring(.generate(at: clock.now)),
      pageTokens: LiveKeyring(.generate(at: clock.now)))
    service = StationsService(
      database: database, keys: keys, membersChannel: channel,
      configuration: configuration, clock: Clock { clock.now })
    feed = MembersFeed(service: service, channel: channel)
    try await plant()
  }

  /// Returns a channel whose calls come from `caller`, and whose errors have their reason as the
  /// message.
  func channel(_ caller: Caller) throws -> InProcessChannel {
    try InProcessChannel(
      services: [service], interceptors: [ReasonAsMessage(), StatedCaller(caller: caller)])
  }

  func client(_ caller: Caller) throws -> StationsServiceClient {
    StationsServiceClient(try channel(caller))
  }

  /// Creates province → city → county and a second province, through the feed.
  private func plant() async throws {
    members.emitOrganization(Tree.province, parent: nil)
    members.emitOrganization(Tree.city, parent: Tree.province)
    members.emitOrganization(Tree.county, parent: Tree.city)
    members.emitOrganization(Tree.elsewhere, parent: nil)
    try await feed.catchUp()
  }
}

/// Identifiers of the organizations in every world.
enum Tree {
  static let province = hexID(0xa1)
  static let city = hexID(0xa2)
  static let county = hexID(0xa3)
  static let elsewhere = hexID(0xb1)
}

func hexID(_ number: Int) -> String {
  let digits = String(number, radix: 16)
  return String(repeating: "0", count: 32 - digits.count) + digits
}

func uuid() -> String { UUID().uuidString.lowercased() }

extension Caller {
  static func staff(_ organization: String, role: StaffRole = .administrator) -> Caller {
    Caller(
      kind: .staff, subject: "staff/" + hexID(1), organization: organization, staffRole: role)
  }

  static let partner = Caller(kind: .partner, subject: "partners/" + hexID(2))
  static let gateway = Caller(kind: .service, subject: "services/gateway")
}

/// A clock that is set by the test; initially 2026-11-21, noon in China.
final class TestClock: Sendable {
  private let instant: Mutex<Foundation.Date?>

  init() { instant = Mutex(Foundation.Date(timeIntervalSince1970: 1_795_233_600)) }

  /// - Parameter isSystem: Whether it runs like the system's clock.
  init(isSystem: Bool) {
    instant = Mutex(isSystem ? nil : Foundation.Date(timeIntervalSince1970: 1_795_233_600))
  }

  var now: Foundation.Date { instant.withLock { $0 } ?? Foundation.Date() }

  var microseconds: Int64 { now.microseconds }

  func advance(seconds: Double) { instant.withLock { $0 = $0.map { $0 + seconds } } }
}

/// States the caller.
private struct StatedCaller: ServerInterceptor {
  let caller: Caller

  func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
    context.setCaller(caller)
    try await next()
  }
}

/// Copies a failure's reason and fields into the message, so that a test need not unpack the
/// status.
private struct ReasonAsMessage: ServerInterceptor {
  func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
    do {
      try await next()
    } catch let error as RPCError {
      throw error
    } catch let error as CancellationError {
      throw error
    } catch let error as StorageError {
      throw RPCError(.internalError, "\(error)")
    } catch {
      let failure = render(error, in: .english)
      let fields = failure.fieldFailures.map { " \($0.field)=\($0.reason)" }.joined()
      throw RPCError(failure.code, failure.reason + fields)
    }
  }
}

/// Expects `body` to fail with a reason, and with these fields if given.
func expectFailure(
  _ reason: String, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () async throws -> some Any
) async {
  do {
    _ = try await body()
    Issue.record("succeeded instead of \(reason)", sourceLocation: sourceLocation)
  } catch let error as RPCError {
    #expect(error.message == reason, sourceLocation: sourceLocation)
  } catch {
    Issue.record("\(error) instead of \(reason)", sourceLocation: sourceLocation)
  }
}

extension World {
  /// Returns all bytes of the store, for checks that something is not in it.
  func storedBytes() async throws -> [Data] { try await store.bytes(of: database) }
}

extension Data {
  func range(of bytes: [UInt8]) -> Range<Int>? { range(of: Data(bytes)) }
}
