import Crypto
import RPC
import ServiceKit
import StationsV1
import Storage
import Testing

@testable import StationsCore

@Suite struct KioskTests {
  @Test("the key is shown once, and again only to a replay of the same request")
  func keyReplay() async throws {
    try await World.run { world in
      let point = try await world.createPoint()
      let client = try world.client(.staff(Tree.province))
      var request = RegisterKioskRequest()
      request.requestID = uuid()
      request.point = point.name
      request.displayName = "前台"
      let first = try await client.registerKiosk(request)
      #expect(first.apiKey.count == 67 && first.apiKey.hasPrefix("yk_"))
      #expect(first.kiosk?.point == point.name)
      #expect(try await client.registerKiosk(request) == first)
      var other = request
      other.requestID = uuid()
      #expect(try await client.registerKiosk(other).apiKey != first.apiKey)
      for bytes in try await world.storedBytes() {
        #expect(bytes.range(of: Array(first.apiKey.utf8)) == nil, "the key is in no file")
      }
    }
  }

  @Test("the feed reports every key by its hash, and its revocation, to the gateway")
  func feed() async throws {
    try await World.run { world in
      let point = try await world.createPoint()
      let registered = try await world.registerKiosk(at: point.name)
      let kiosk = try #require(registered.kiosk)
      let client = try world.client(.staff(Tree.city))
      var revoke = RevokeKioskRequest()
      revoke.requestID = uuid()
      revoke.name = kiosk.name
      let revoked = try await client.revokeKiosk(revoke).kiosk
      #expect(revoked?.revokeTime != nil)
      revoke.requestID = uuid()
      #expect(try await client.revokeKiosk(revoke).kiosk == revoked, "revoked already")

      var watch = WatchStationEventsRequest()
      watch.stopAtEnd = true
      let gateway = try world.client(.gateway)
      var events: [WatchStationEventsResponse] = []
      for try await event in try await gateway.watchStationEvents(watch) { events.append(event) }
      #expect(events.map(\.entity) == [point.name, kiosk.name, kiosk.name])
      #expect(events.map(\.entityVersion) == [1, 1, 2])
      let changes = events.compactMap { event -> KioskChanged? in
        if case .kioskChanged(let change)? = event.event { change } else { nil }
      }
      #expect(changes.map(\.revoked) == [false, true])
      let hash = Array(SHA256.hash(data: Array(registered.apiKey.utf8)))
      #expect(changes.allSatisfy { $0.apiKeySHA256 == hash && $0.point == point.name })

      watch.cursor = events[0].cursor
      var rest: [WatchStationEventsResponse] = []
      for try await event in try await gateway.watchStationEvents(watch) { rest.append(event) }
      #expect(rest == Array(events.dropFirst()))
      watch.cursor = "zzz"
      await expectFailure("INVALID_CURSOR") {
        for try await _ in try await gateway.watchStationEvents(watch) {}
      }
    }
  }

  @Test("a watched feed continues with new commits")
  func live() async throws {
    try await World.run { world in
      let point = try await world.createPoint()
      let events = try await world.client(.gateway).watchStationEvents(WatchStationEventsRequest())
      var iterator = events.makeAsyncIterator()
      let entity = try await iterator.next()?.entity
      #expect(entity == point.name)
      let kiosk = try await world.registerKiosk(at: point.name).kiosk
      let next = try await iterator.next()?.entity
      #expect(next == kiosk?.name)
      events.cancel()
    }
  }

  @Test("staff outside of the point's subtree cannot register or revoke")
  func scope() async throws {
    try await World.run { world in
      let station = try await world.station()
      let outsider = try world.client(.staff(Tree.elsewhere))
      var register = RegisterKioskRequest()
      register.requestID = uuid()
      register.point = station.point
      register.displayName = "x"
      await expectFailure("OUT_OF_SCOPE") { try await outsider.registerKiosk(register) }
      var revoke = RevokeKioskRequest()
      revoke.requestID = uuid()
      revoke.name = station.kiosk
      await expectFailure("OUT_OF_SCOPE") { try await outsider.revokeKiosk(revoke) }
      revoke.name = "kiosks/" + hexID(404)
      await expectFailure("KIOSK_NOT_FOUND") { try await outsider.revokeKiosk(revoke) }
    }
  }

  @Test("every write is in the audit chain, and the chain is intact")
  func audit() async throws {
    try await World.run { world in
      let station = try await world.station()
      try await station.report(uuid(), (1...3).map { station.visit($0) })
      let report = try await world.database.verifyAudit()
      #expect(report.problem == nil)
      #expect(report.rows >= 4)
    }
  }
}
