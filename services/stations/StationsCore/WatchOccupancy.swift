import GoogleProtobuf
public import RPC
import ServiceKit
public import StationsV1
import Storage
import YijiaTypeV1

extension StationsService {
  /// Longest wait between two counts: other processes may have committed.
  private static let recountAfter: Swift.Duration = .seconds(30)

  /// Streams the number of people at a point: the current one at once, then each change. Changes
  /// that happen while the watcher is slow are merged into one.
  public func watchOccupancy(
    _ request: WatchOccupancyRequest, responses: ResponseWriter<WatchOccupancyResponse>,
    context: ServerContext
  ) async throws {
    let caller = try context.caller
    let id = try ResourceName.parse(request.point, collection: "points", field: "point")
    guard caller.kind != .partner else { throw CommonFailure.callerKind }
    _ = try await point(id, for: caller)
    try context.endFeedWhenDraining(domain: "stations.yijia")
    try await hub.watch(.occupancy(point: id)) { changed in
      var last: WatchOccupancyResponse?
      while true {
        let (now, presence) = try await countPresent(at: id, caller: caller)
        if last?.present != now.present || last?.capacity != now.capacity {
          try await responses.send(now)
          last = now
        }
        await changed.wait(atMost: untilNextEnd(presence))
        try Task.checkCancellation()
      }
    }
  }

  private func countPresent(
    at id: String, caller: Caller
  ) async throws -> (WatchOccupancyResponse, StayStore.Presence) {
    let now = clock.microseconds
    let (found, presence) = try await database.read(
      PointStore.scoped(id, for: caller),
      StayStore.presence(point: id, since: now - rules.stayMax))
    let point = try PointStore.check(found, for: caller)
    var response = WatchOccupancyResponse()
    response.point = point.name
    response.present = Int32(clamping: presence.present)
    response.capacity = point.capacity
    response.countTime = Timestamp(microseconds: now)
    return (response, presence)
  }

  /// Time until the oldest stay ends by itself, which no commit reports.
  private func untilNextEnd(_ presence: StayStore.Presence) -> Swift.Duration {
    guard let oldest = presence.oldestArrival else { return Self.recountAfter }
    let left = oldest + rules.stayMax - clock.microseconds
    return min(Self.recountAfter, .microseconds(max(left, 0)) + .milliseconds(1))
  }
}
