import Foundation
import MembersV1
import RPC
import RPCInProcess
import ServiceKit
import Storage
import Synchronization
import TestStores
import YijiaTypeV1

@testable import MembersCore

/// A members service on a store in a temporary folder, reached through a real channel with the
/// service's interceptors; only the caller is stated instead of authenticated.
struct Harness: Sendable {
  let store: TestStore
  let database: any Database
  let keys: MembersKeys
  let clock: TestClock
  let service: MembersService

  /// Runs `body` with a new service on each engine, and cleans up.
  ///
  /// - Returns: The result of the last run.
  @discardableResult
  static func run<Result>(
    _ configuration: MembersConfiguration = MembersConfiguration(),
    on engines: [Engine] = Engine.allCases,
    _ body: (Harness) async throws -> Result
  ) async throws -> Result? {
    var result: Result?
    for engine in engines {
      result = try await engine.withStore { store in
        try await store.with { database in
          try await body(try await Harness(store, database, configuration))
        }
      }
    }
    return result
  }

  /// Another service on the same store, as a replica or after a restart.
  private init(_ other: Harness, database: any Database, keys: MembersKeys) {
    (store, clock) = (other.store, other.clock)
    (self.database, self.keys) = (database, keys)
    let clock = clock
    service = MembersService(database: database, keys: keys, clock: Clock { clock.now })
  }

  /// Returns another service on the same store, with other keys.
  func sharing(_ keys: MembersKeys) -> Harness { Harness(self, database: database, keys: keys) }

  /// Returns another service that opened the same store itself.
  func replica(_ database: any Database) -> Harness {
    Harness(self, database: database, keys: keys)
  }

  private init(
    _ store: TestStore, _ database: any Database, _ configuration: MembersConfiguration
  ) async throws {
    self.store = store
    self.database = database
    let clock = TestClock()
    self.clock = clock
    keys = MembersKeys(
      fields: LiveKeyring(.generate(at: clock.now)),
      hashes: LiveKeyring(.generate(at: clock.now)),
      pageTokens: LiveKeyring(.generate(at: clock.now)))
    service = MembersService(
      database: database, keys: keys, clock: Clock { clock.now }, configuration: configuration)
    try await service.prepare()
  }

  /// Returns a client whose calls come from `caller`.
  func client(_ caller: Caller) throws -> MembersServiceClient {
    MembersServiceClient(
      try InProcessChannel(
        services: [service],
        interceptors: [ShownFailure(), StatedCaller(caller: caller)]))
  }

  /// Returns all bytes of the store, for checks that something is not in it.
  func storedBytes() async throws -> [Data] { try await store.bytes(of: database) }
}

extension Caller {
  static func partner(_ id: Int = 1) -> Caller {
    Caller(kind: .partner, subject: "partners/\(hexID(id))")
  }

  static func staff(
    _ organization: String, role: StaffRole = .administrator, id: Int = 1
  ) -> Caller {
    Caller(
      kind: .staff, subject: "staff/\(hexID(id))",
      organization: String(organization.split(separator: "/").last ?? ""), staffRole: role)
  }

  /// The administrator of the whole tree.
  static let administrator = Caller.staff("")

  static func service(_ name: String) -> Caller {
    Caller(kind: .service, subject: "services/\(name)")
  }
}

func hexID(_ number: Int) -> String {
  let digits = String(number, radix: 16)
  return String(repeating: "0", count: 32 - digits.count) + digits
}

/// A clock that is set by the test; initially 2026-11-21, noon in China.
final class TestClock: Sendable {
  private let instant = Mutex(Date(timeIntervalSince1970: 1_795_233_600))

  var now: Date { instant.withLock { $0 } }

  func advance(days: Int) { instant.withLock { $0 += Double(days) * 86_400 } }
}

/// Copies a failure's reason and fields into the status message, so that a test can compare them:
/// `INVALID_FIELDS application.phone=INVALID_PHONE`.
private struct ShownFailure: ServerInterceptor {
  func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
    do {
      try await next()
    } catch let error as RPCError {
      throw error
    } catch {
      let failure = render(error, in: context.language)
      let fields = failure.fieldFailures.map { " \($0.field)=\($0.reason)" }.joined()
      let cause = failure.code == .internalError ? " \(String(reflecting: error))" : ""
      throw RPCError(failure.code, failure.reason + fields + cause)
    }
  }
}

/// Returns the reason with which a call was refused, with the fields if they are the reason.
func refusal<Result>(_ call: () async throws -> Result) async throws -> String {
  do {
    throw Unexpected("the call was not refused: \(try await call())")
  } catch let error as RPCError {
    return error.message
  }
}

/// States the caller.
struct StatedCaller: ServerInterceptor {
  let caller: Caller

  func intercept(_ context: ServerContext, next: () async throws -> Void) async throws {
    context.setCaller(caller)
    try await next()
  }
}
