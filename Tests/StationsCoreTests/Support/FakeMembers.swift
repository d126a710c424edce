import GoogleProtobuf
import MembersV1
import RPC
import ServiceKit
import Synchronization

@testable import StationsCore

/// A members service whose codes and events are set by the test.
final class FakeMembers: MembersServiceProtocol {
  private struct State {
    var codes: [String: KnownMember] = [:]
    var events: [WatchMemberEventsResponse] = []
    var isDown = false
    var isSilent = false
    var resolveCalls = 0
    var timeLeft: Swift.Duration?
    var epoch: Int64 = 7
    var watchers: [AsyncStream<Void>.Continuation] = []
  }
  private let state = Mutex(State())

  /// Whether every call fails at once.
  var isDown: Bool {
    get { state.withLock { $0.isDown } }
    set { state.withLock { $0.isDown = newValue } }
  }

  /// Whether calls get no response until their deadline.
  var isSilent: Bool {
    get { state.withLock { $0.isSilent } }
    set { state.withLock { $0.isSilent = newValue } }
  }

  /// Number of ResolveMemberCodes calls so far.
  var resolveCalls: Int { state.withLock { $0.resolveCalls } }

  /// Time that the last ResolveMemberCodes call had left; nil without a deadline.
  var timeLeft: Swift.Duration? { state.withLock { $0.timeLeft } }

  /// Makes a code known to ResolveMemberCodes, without an event.
  func enroll(_ code: String, member: Int, group: OccupationGroup = .truckDriver) {
    state.withLock { $0.codes[code] = KnownMember(id: hexID(member), group: group) }
  }

  func emitOrganization(_ id: String, parent: String?) {
    var change = OrganizationChanged()
    change.organization = "organizations/\(id)"
    change.parent = parent.map { "organizations/\($0)" } ?? ""
    change.state = .active
    change.regionCode = "340600"
    emit(change.organization, .organizationChanged(change))
  }

  func emitMembership(
    _ code: String, member: Int, group: OccupationGroup = .courier,
    state: MembershipState = .active, survivor: Int? = nil, isErased: Bool = false
  ) {
    var change = MembershipChanged()
    change.member = "members/\(hexID(member))"
    change.state = state
    change.survivor = survivor.map { "members/\(hexID($0))" } ?? ""
    change.erased = isErased
    change.organization = "organizations/\(Tree.county)"
    change.group = group
    change.codeSHA256 = CheckedVisit.sha256(code)
    emit(change.member, .membershipChanged(change))
  }

  /// Restarts the feed, as after a restore from a backup; its events stay.
  func restore() {
    state.withLock { state in
      state.epoch += 1
      for index in state.events.indices {
        state.events[index].cursor = "\(String(state.epoch, radix: 16)).\(index + 1)"
      }
    }
  }

  private func emit(_ entity: String, _ event: WatchMemberEventsResponse.Event) {
    let watchers = state.withLock { state in
      var response = WatchMemberEventsResponse()
      response.cursor = "\(String(state.epoch, radix: 16)).\(state.events.count + 1)"
      response.entity = entity
      response.entityVersion = 1
      response.event = event
      state.events.append(response)
      return state.watchers
    }
    for watcher in watchers { watcher.yield() }
  }

  func resolveMemberCodes(
    _ request: ResolveMemberCodesRequest, context: ServerContext
  ) async throws -> ResolveMemberCodesResponse {
    let (isDown, isSilent) = state.withLock { state in
      state.resolveCalls += 1
      state.timeLeft = context.deadline?.remaining
      return (state.isDown, state.isSilent)
    }
    if isDown { throw RPCError(.unavailable, "down") }
    if isSilent { for await _ in AsyncStream<Void>.makeStream().stream {} }
    var response = ResolveMemberCodesResponse()
    let codes = state.withLock { $0.codes }
    for code in request.codes {
      guard let member = codes[code] else { continue }
      var resolved = ResolvedMemberCode()
      resolved.code = code
      resolved.member = "members/\(member.id)"
      resolved.group = member.group
      response.members.append(resolved)
    }
    return response
  }

  func watchMemberEvents(
    _ request: WatchMemberEventsRequest, responses: ResponseWriter<WatchMemberEventsResponse>,
    context: ServerContext
  ) async throws {
    let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    continuation.yield()
    let (isDown, epoch) = state.withLock { state in
      state.watchers.append(continuation)
      return (state.isDown, String(state.epoch, radix: 16))
    }
    if isDown { throw RPCError(.unavailable, "down") }
    let parts = request.cursor.split(separator: ".")
    guard parts.isEmpty || parts[0] == epoch else {
      throw RPCError(.invalidArgument, "INVALID_CURSOR")
    }
    var sent = parts.isEmpty ? 0 : Int(parts[1]) ?? 0
    for await _ in stream {
      for event in state.withLock({ Array($0.events.dropFirst(sent)) }) {
        try await responses.send(event)
        sent += 1
      }
      if request.stopAtEnd { return }
    }
  }
}
