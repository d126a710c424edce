import Foundation
import MembersV1
import RPC
import ServiceKit
import Testing

@testable import MembersCore

@Suite("The feed of events")
struct EventTests {
  @Test("a service gets all events in order; a partner those of its own enrollments, as RECEIVED")
  func views() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let first = try await harness.submit(Applicant.application(1), as: .partner(1))
      _ = try await harness.submit(Applicant.application(2), as: .partner(2))
      let again = try await harness.submit(Applicant.application(2), as: .partner(1))
      let all = try await harness.events(as: .service("stations"))
      let organizations = all.filter {
        if case .organizationChanged? = $0.event { true } else { false }
      }
      #expect(organizations.count == Tree.rows.count)
      #expect(all.filter { $0.entity.hasPrefix("members/") }.count == 2)
      #expect(all.filter { $0.entity.hasPrefix("enrollments/") }.count == 3)
      #expect(all.allSatisfy { $0.entityVersion == 1 && $0.createTime != nil })
      let own = try await harness.events(as: .partner(1))
      #expect(own.map(\.entity) == [first.name, again.name])
      for event in own {
        guard case .enrollmentChanged(let changed)? = event.event else {
          throw Unexpected("another event than its enrollment's")
        }
        #expect(changed.state == .received)
      }
      #expect(try await harness.events(as: .partner(3)).isEmpty)
    }
  }

  @Test("a stream continues after its cursor, and another caller's cursor is refused")
  func resumed() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      for number in 1...5 { _ = try await harness.submit(Applicant.application(number)) }
      for caller in [Caller.partner(), .service("stations")] {
        let all = try await harness.events(as: caller)
        let rest = try await harness.events(as: caller, after: all[2].cursor)
        #expect(rest.map(\.entity) == all[3...].map(\.entity))
        #expect(try await harness.events(as: caller, after: all[all.count - 1].cursor).isEmpty)
      }
      let cursor = try await harness.events(as: .partner())[0].cursor
      for wrong in [cursor, "1.5", "nonsense"] {
        #expect(
          try await refusal { try await harness.events(as: .partner(2), after: wrong) }
            == "INVALID_CURSOR")
      }
    }
  }

  @Test("a waiting stream gets new events")
  func followed() async throws {
    try await Harness.run { harness in
      _ = try await harness.plantTree()
      let stream = try await harness.client(.partner()).watchMemberEvents(
        WatchMemberEventsRequest())
      var events = stream.makeAsyncIterator()
      for number in 1...3 {
        let enrollment = try await harness.submit(Applicant.application(number))
        #expect(try await events.next()?.entity == enrollment.name)
      }
      stream.cancel()
    }
  }
}

extension Harness {
  /// Returns the events up to the newest that a caller gets.
  func events(
    as caller: Caller, after cursor: String = ""
  ) async throws -> [WatchMemberEventsResponse] {
    var request = WatchMemberEventsRequest()
    request.cursor = cursor
    request.stopAtEnd = true
    var events: [WatchMemberEventsResponse] = []
    for try await event in try await client(caller).watchMemberEvents(request) {
      events.append(event)
    }
    return events
  }
}
