import GoogleProtobuf
import RPC
import RPCInProcess
import ServiceKit
import StationsV1
import Synchronization
import Testing
import YijiaTypeV1

@testable import StationsCore

@Suite struct VisitStreamTests {
  @Test("visits are acknowledged cumulatively and listed in order")
  func inOrder() async throws {
    try await World.run { world in
      let station = try await world.station()
      let visits = (1...20).map { station.visit($0) }
      let responses = try await station.report(uuid(), visits)
      #expect(responses.first?.acknowledgedSequence == 0)
      #expect(responses.last?.acknowledgedSequence == 20)
      let acknowledged = responses.map(\.acknowledgedSequence)
      #expect(acknowledged == acknowledged.sorted())
      let stored = try await station.stored()
      #expect(stored.map(\.sequence) == Array(1...20))
      #expect(stored.map(\.name) == visits.map { "visits/" + $0.visitID.filter { $0 != "-" } })
      #expect(stored.allSatisfy { $0.state == .anonymous && $0.point == station.point })
    }
  }

  @Test("a replayed visit is counted once, and the hello's response has the acknowledged sequence")
  func replay() async throws {
    try await World.run { world in
      let station = try await world.station()
      let epoch = uuid()
      let visits = (1...10).map { station.visit($0) }
      try await station.report(epoch, Array(visits.prefix(6)))
      let again = try await station.report(epoch, visits)
      #expect(again.first?.acknowledgedSequence == 6)
      #expect(again.last?.acknowledgedSequence == 10)
      let third = try await station.report(epoch, visits)
      #expect(third.last?.acknowledgedSequence == 10)
      #expect(try await station.stored().count == 10)
      #expect(try await station.days().map(\.visits) == [10])
      #expect(try await station.countersAgree())
    }
  }

  @Test("a visit after a gap is refused once the visits before the gap are durable")
  func gap() async throws {
    try await World.run { world in
      let station = try await world.station()
      let epoch = uuid()
      await expectFailure("SEQUENCE_GAP") {
        try await station.report(epoch, [1, 2, 5].map { station.visit($0) })
      }
      #expect(try await station.stored().map(\.sequence) == [1, 2])
      let responses = try await station.report(epoch, [3, 4, 5].map { station.visit($0) })
      #expect(responses.map(\.acknowledgedSequence).last == 5)
    }
  }

  @Test("a swapped pair is refused as a gap and counts once when sent in order")
  func reordered() async throws {
    try await World.run { world in
      let station = try await world.station()
      let epoch = uuid()
      let visits = (1...4).map { station.visit($0) }
      await expectFailure("SEQUENCE_GAP") {
        try await station.report(epoch, [visits[0], visits[2], visits[1], visits[3]])
      }
      try await station.report(epoch, visits)
      #expect(try await station.stored().map(\.sequence) == [1, 2, 3, 4])
    }
  }

  @Test("two concurrent streams of one kiosk count every visit once")
  func twoStreams() async throws {
    try await World.run { world in
      let station = try await world.station()
      let epoch = uuid()
      let visits = (1...600).map { station.visit(Int64($0)) }
      async let first = station.report(epoch, visits)
      async let second = station.report(epoch, visits)
      let responses = try await (first, second)
      #expect(responses.0.last?.acknowledgedSequence == 600)
      #expect(responses.1.last?.acknowledgedSequence == 600)
      #expect(try await station.days().map(\.visits) == [600])
      #expect(try await station.countersAgree())
    }
  }

  @Test("two concurrent kiosks of one point count all of their visits")
  func twoKiosks() async throws {
    try await World.run { world in
      let station = try await world.station()
      let other = try await world.secondKiosk(of: station)
      async let first = station.report(uuid(), (1...300).map { station.visit($0) })
      async let second = other.report(uuid(), (1...300).map { other.visit($0) })
      _ = try await (first, second)
      #expect(try await station.days().map(\.visits) == [600])
      #expect(try await station.countersAgree())
    }
  }

  @Test("an acknowledgement lost after the commit has no effect")
  func lostAcknowledgement() async throws {
    try await World.run { world in
      let station = try await world.station()
      let epoch = uuid()
      let visits = (1...5).map { station.visit($0) }
      // The commit happens while the stream to the kiosk is gone: nobody gets the acknowledgement.
      _ = try await world.service.store(
        visits,
        of: KioskStream(
          kiosk: String(station.kiosk.dropFirst(7)), point: station.pointID, epoch: epoch,
          skewMilliseconds: 0, softwareVersion: "1.0"))
      let responses = try await station.report(epoch, visits + [station.visit(6)])
      #expect(responses.first?.acknowledgedSequence == 5)
      #expect(responses.last?.acknowledgedSequence == 6)
      #expect(try await station.stored().count == 6)
    }
  }

  @Test("a connection that breaks mid-stream loses no acknowledged visit and duplicates none")
  func brokenConnection() async throws {
    try await World.run { world in
      let station = try await world.station()
      let epoch = uuid()
      let visits = (1...400).map { station.visit(Int64($0)) }
      for _ in 0..<4 {
        let channel = try world.channel(station.kioskCaller)
        let call = try await StationsServiceClient(channel).reportVisits()
        try await call.send(station.hello(epoch))
        var iterator = call.responses.makeAsyncIterator()
        let resumed = Int(try await iterator.next()?.acknowledgedSequence ?? 0)
        for visit in visits.dropFirst(resumed).prefix(90) {
          try await call.send(station.request(visit))
        }
        let acknowledged = Int(try await iterator.next()?.acknowledgedSequence ?? 0)
        await channel.disconnect()
        #expect(try await station.stored().count >= acknowledged)
      }
      let last = try await station.report(epoch, visits)
      #expect(last.last?.acknowledgedSequence == 400)
      #expect(try await station.stored().map(\.sequence) == Array(1...400))
      #expect(try await station.countersAgree())
    }
  }

  @Test("a new epoch counts from 1 again, and no visit is mistaken for a replay")
  func newEpoch() async throws {
    try await World.run { world in
      let station = try await world.station()
      try await station.report(uuid(), (1...3).map { station.visit($0) })
      let responses = try await station.report(uuid(), (1...2).map { station.visit($0) })
      #expect(responses.first?.acknowledgedSequence == 0)
      #expect(try await station.stored().count == 5)
    }
  }

  @Test("a visit of a lost and restored spool is acknowledged and not counted again")
  func restoredSpool() async throws {
    try await World.run { world in
      let station = try await world.station()
      let id = uuid()
      try await station.report(uuid(), [station.visit(1, id: id), station.visit(2)])
      let responses = try await station.report(
        uuid(), [station.visit(1), station.visit(2, id: id), station.visit(3)])
      #expect(responses.last?.acknowledgedSequence == 3)
      #expect(try await station.stored().count == 4)
      #expect(try await station.days().map(\.visits) == [4])
      #expect(try await station.countersAgree())
    }
  }

  @Test("a visit under another kiosk's visit id is kept, not counted, and replaces nothing")
  func foreignVisitID() async throws {
    try await World.run { world in
      let station = try await world.station()
      let other = try await world.secondKiosk(of: station)
      let id = uuid()
      try await station.report(uuid(), [station.visit(1, id: id)])
      let responses = try await other.report(uuid(), [other.visit(1, id: id)])
      #expect(responses.last?.notices.map(\.reason) == [.malformed])
      let days = try await station.days()
      #expect(days.map(\.visits) == [1])
      #expect(days.map(\.setAside) == [1])
    }
  }

  @Test("a stream begins with exactly one hello")
  func helloFirst() async throws {
    try await World.run { world in
      let station = try await world.station()
      await expectFailure("HELLO_EXPECTED") {
        let call = try await world.client(station.kioskCaller).reportVisits()
        try await call.send(station.request(station.visit(1)))
        for try await _ in call.responses {}
      }
      await expectFailure("HELLO_EXPECTED") {
        let call = try await world.client(station.kioskCaller).reportVisits()
        try await call.send(station.hello(uuid()))
        try await call.send(station.request(station.visit(1)))
        try await call.send(station.hello(uuid()))
        for try await _ in call.responses {}
      }
      #expect(try await station.stored().count == 1)
      await expectFailure(
        "INVALID_FIELDS hello.spool_epoch=INVALID_UUID hello.device_time=REQUIRED"
      ) {
        let call = try await world.client(station.kioskCaller).reportVisits()
        var request = ReportVisitsRequest()
        var hello = ReportHello()
        hello.spoolEpoch = "1"
        request.message = .hello(hello)
        try await call.send(request)
        for try await _ in call.responses {}
      }
      await expectFailure("INVALID_FIELDS visit.sequence=OUT_OF_RANGE") {
        try await station.report(uuid(), [station.visit(0)])
      }
    }
  }

  @Test("a kiosk reports for its own point only, and not after its key was revoked")
  func ownPoint() async throws {
    try await World.run { world in
      let station = try await world.station()
      let other = try await world.station()
      let posing = Caller(kind: .kiosk, subject: station.kiosk, point: other.pointID)
      await expectFailure("OUT_OF_SCOPE") {
        let call = try await world.client(posing).reportVisits()
        try await call.send(station.hello(uuid()))
        for try await _ in call.responses {}
      }
      var revoke = RevokeKioskRequest()
      revoke.requestID = uuid()
      revoke.name = station.kiosk
      _ = try await world.client(.staff(Tree.province)).revokeKiosk(revoke)
      await expectFailure("KIOSK_REVOKED") {
        try await station.report(uuid(), [station.visit(1)])
      }
    }
  }

  @Test("the skew of the kiosk's clock is measured at the hello and reported")
  func skew() async throws {
    try await World.run { world in
      let station = try await world.station()
      let responses = try await station.report(uuid(), [station.visit(1)], skewSeconds: 90)
      #expect(responses.map(\.clockSkewMs) == [90_000, 90_000])
    }
  }
}
