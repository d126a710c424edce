public import RPC
import ServiceKit
public import StationsV1
import Storage

extension StationsService {
  /// Streams this service's events from a cursor on.
  public func watchStationEvents(
    _ request: WatchStationEventsRequest, responses: ResponseWriter<WatchStationEventsResponse>,
    context: ServerContext
  ) async throws {
    do {
      let start = try FeedCursor(text: request.cursor)
      let consumer = try context.caller.subject
      feedLag.note(consumer, at: start)
      if request.stopAtEnd {
        try await sendStored(after: start, to: responses, for: consumer)
      } else {
        try context.endFeedWhenDraining(domain: "stations.yijia")
        for try await event in database.follow(after: start) {
          try await responses.send(try StationEvents.response(event))
          feedLag.note(consumer, at: event.cursor)
        }
        try Task.checkCancellation()
      }
    } catch StorageError.foreignCursor, StorageError.expiredCursor {
      throw CommonFailure.invalidCursor
    }
  }

  private func sendStored(
    after start: FeedCursor, to responses: ResponseWriter<WatchStationEventsResponse>,
    for consumer: String
  ) async throws {
    var cursor = start
    while true {
      let events = try await database.feed(after: cursor)
      for event in events {
        try await responses.send(try StationEvents.response(event))
        cursor = event.cursor
        feedLag.note(consumer, at: cursor)
      }
      if events.count < Limits.eventsPerRead { return }
    }
  }
}
