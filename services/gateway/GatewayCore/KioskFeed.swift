public import Logging
public import RPC
import ServiceKit
import StationsV1

/// Follows the events of yijia-stations, so that a key that was revoked there is refused here.
///
/// The whole feed is read at each start: the gateway stores nothing.
public struct KioskFeed: Sendable {
  private static let pauseMax = Duration.seconds(2)

  private let client: StationsServiceClient
  private let directory: KioskDirectory
  private let logger: Logger

  /// - Parameters:
  ///   - channel: To yijia-stations, as the gateway's own workload.
  ///   - directory: What it fills.
  public init(channel: any Channel, directory: KioskDirectory, logger: Logger) {
    client = StationsServiceClient(channel)
    self.directory = directory
    self.logger = logger
  }

  /// Follows the feed until the task is cancelled; connects again, with growing pauses, whatever
  /// fails.
  public func run() async {
    var cursor: String?
    let following = Following(name: "the kiosks' feed", pauseMax: Self.pauseMax, logger: logger)
    await following.run { isServed in
      // What is stored first: that it could be read shows that the feed is served.
      if cursor == nil {
        cursor = try await readAll()
      } else {
        try await take(&cursor, stopAtEnd: true)
      }
      directory.setStanding(.current)
      isServed()
      try await take(&cursor, stopAtEnd: false)
    } goesOn: { error in
      // A cursor that the feed no longer knows: it was restored from a backup. Read all again.
      let code = (error as? RPCError)?.code
      if code == .invalidArgument || code == .outOfRange { cursor = nil }
      if directory.standing == .current { directory.setStanding(.stale) }
      return true
    }
  }

  /// Reads all that is stored, and returns the cursor behind it.
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

  /// Takes the changes behind the cursor: those that are stored, or also those to come.
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
