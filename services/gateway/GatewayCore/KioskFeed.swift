public import Logging
public import RPC
import ServiceKit
import StationsV1

/// Follows the events of yijia-stations, so that a key revoked there is refused here.
///
/// The whole feed is read at each start: the gateway stores none of it.
public struct KioskFeed: Sendable {
  private static let pauseMax = Duration.seconds(2)

  private let client: StationsServiceClient
  private let directory: KioskDirectory
  private let logger: Logger

  /// - Parameters:
  ///   - channel: A channel to yijia-stations with the gateway's workload identity.
  ///   - directory: The directory to fill.
  public init(channel: any Channel, directory: KioskDirectory, logger: Logger) {
    client = StationsServiceClient(channel)
    self.directory = directory
    self.logger = logger
  }

  /// Follows the feed until the task is cancelled; reconnects with exponential backoff.
  public func run() async {
    var cursor: String?
    let loop = FeedLoop(
      name: "the kiosks' feed", pauseMax: Self.pauseMax, logger: logger)
    await loop.run { isServed in
      // The stored events first: that they could be read shows that the feed is served.
      if cursor == nil {
        cursor = try await readAll()
      } else {
        try await take(&cursor, stopAtEnd: true)
      }
      directory.setStanding(.current)
      isServed()
      try await take(&cursor, stopAtEnd: false)
    } goesOn: { error in
      if let error = error as? RPCError, error.isUnknownCursor { cursor = nil }
      if directory.standing == .current { directory.setStanding(.stale) }
      return true
    }
  }

  /// Reads all stored events and returns the cursor behind them.
  private func readAll() async throws -> String {
    var table = KioskTable()
    var cursor = ""
    var request = WatchStationEventsRequest()
    request.stopAtEnd = true
    for try await event in try await client.watchStationEvents(request) {
      if case .kioskChanged(let change)? = event.event {
        table.apply(change, version: event.entityVersion)
      }
      cursor = event.cursor
    }
    directory.replace(with: table)
    logger.info("the kiosks are known", metadata: ["count": "\(table.count)"])
    return cursor
  }

  /// Applies the events behind the cursor: the stored ones, or also those to come.
  private func take(_ cursor: inout String?, stopAtEnd: Bool) async throws {
    var request = WatchStationEventsRequest()
    request.cursor = cursor ?? ""
    request.stopAtEnd = stopAtEnd
    for try await event in try await client.watchStationEvents(request) {
      if case .kioskChanged(let change)? = event.event {
        directory.apply(change, version: event.entityVersion)
      }
      cursor = event.cursor
    }
  }
}
