import Foundation
import GatewayV1
import RPC
import ServiceKit
import Storage
import TestStores
import Testing

@testable import GatewayCore

/// What who knows a password can do to the second factor.
@Suite("Guesses at an authenticator's code")
struct CodeGuessTests {
  private static let user = "zhou.ba"

  /// Enrolls an authenticator; returns it.
  private static func enrolled(_ world: AccountsWorld) async throws -> OneTimePassword {
    let secret = [UInt8](repeating: 7, count: OneTimePassword.secretBytes)
    var account = try #require(
      try await world.database.read(StaffStore.byUserName(user)))
    account.totp = try world.store.cipher.seal(
      secret, table: StoredStaff.table, column: "totp", row: account.id)
    var commit = Commit(at: world.now.value)
    StaffStore.update(account, at: world.now.value.microseconds, in: &commit)
    try await world.database.write(commit)
    return OneTimePassword(secret: secret)
  }

  /// Guesses with the correct password and a wrong code, from a new address; the reason of the
  /// refusal.
  private static func guess(
    _ world: AccountsWorld, _ app: OneTimePassword, from source: Int
  ) async throws -> (reason: String?, retrySeconds: Int64?) {
    let right = (world.step - 2...world.step + 2).map { app.code(step: $0) }
    let address = "192.0.2.\(source):1"
    var request = SignInRequest()
    request.userName = user
    request.password = StaffTests.password
    request.totpCode = try #require(
      ["000000", "111111", "222222", "333333", "444444", "555555"].first { !right.contains($0) })
    do {
      _ = try await SessionsServiceClient(
        try world.gateway.edge(peer: Peer(address: address))
      ).signIn(request)
      return (nil, nil)
    } catch let error as RPCError {
      return (error.gatewayReason, error.retrySeconds)
    }
  }

  /// Guesses until there is a delay.
  private static func exhaust(_ world: AccountsWorld, _ app: OneTimePassword) async throws {
    for source in 1...20 {
      #expect(try await guess(world, app, from: source).reason == "SIGN_IN_REFUSED", "\(source)")
    }
  }

  @Test(
    "twenty wrong codes in a row are free, then one an hour, wherever they come from",
    arguments: Engine.allCases)
  func delayed(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      _ = try await world.settled(Self.user, StaffTests.password)
      let app = try await Self.enrolled(world)
      let before = try await world.database.verifyAudit().rows
      try await Self.exhaust(world, app)
      #expect(try await world.database.verifyAudit().rows == before + 1, "the log tells once")
      for source in 21...25 {
        let refused = try await Self.guess(world, app, from: source)
        #expect(refused.reason == "SIGN_IN_DELAYED" && refused.retrySeconds == 3_600)
      }
      // The right code is not checked either.
      let right = try await world.refusal(
        Self.user, StaffTests.password, app.code(step: world.step))
      #expect(right == "SIGN_IN_DELAYED")
      world.pass(3_600)
      #expect(try await Self.guess(world, app, from: 30).reason == "SIGN_IN_REFUSED")
      #expect(try await Self.guess(world, app, from: 31).reason == "SIGN_IN_DELAYED")
      #expect(try await world.database.verifyAudit().rows == before + 2)
      world.pass(3_600)
      _ = try await world.signIn(Self.user, StaffTests.password, app.code(step: world.step))
      // A sign-in ends the row.
      try await Self.exhaust(world, app)
    }
  }

  @Test("concurrent codes are counted one by one", arguments: Engine.allCases)
  func atOnce(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      _ = try await world.settled(Self.user, StaffTests.password)
      let app = try await Self.enrolled(world)
      for source in 1...15 { _ = try await Self.guess(world, app, from: source) }
      let reasons = await withTaskGroup(of: String?.self) { group in
        for source in 16...27 {
          group.addTask { try? await Self.guess(world, app, from: source).reason }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(reasons.filter { $0 == "SIGN_IN_REFUSED" }.count == 5, "\(reasons)")
    }
  }

  @Test("a missing code is no guess, and a wrong password never gets that far")
  func strangers() async throws {
    try await AccountsWorld.with(.sqlite) { world in
      _ = try await world.settled(Self.user, StaffTests.password)
      let app = try await Self.enrolled(world)
      for _ in 0..<30 {
        #expect(try await world.refusal(Self.user, StaffTests.password) == "TOTP_REQUIRED")
        world.pass(60)
        #expect(try await world.refusal(Self.user, "wrong", "000000") == "SIGN_IN_REFUSED")
        world.pass(60)
      }
      _ = try await world.signIn(Self.user, StaffTests.password, app.code(step: world.step))
    }
  }

  @Test("a new password lets its owner in at once", arguments: Engine.allCases)
  func changed(_ engine: Engine) async throws {
    try await AccountsWorld.with(engine) { world in
      let token = try await world.settled(Self.user, StaffTests.password)
      let app = try await Self.enrolled(world)
      try await Self.exhaust(world, app)
      let password = StaffTests.password + "!"
      try await world.changePassword(token, StaffTests.password, password)
      _ = try await world.signIn(Self.user, password, app.code(step: world.step))
    }
  }
}
