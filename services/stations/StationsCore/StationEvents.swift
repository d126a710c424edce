import GoogleProtobuf
import Protobuf
import ServiceKit
import StationsV1
import Storage

/// The events of this service's feed, emitted in the commits of the changes that they report.
enum StationEvents {
  private static let kioskChanged = "kiosk.changed"
  private static let pointChanged = "point.changed"

  static func changed(_ kiosk: StoredKiosk) throws -> OutboxEvent {
    var event = KioskChanged()
    event.kiosk = kiosk.name
    event.point = "points/\(kiosk.point)"
    event.apiKeySHA256 = kiosk.keySHA256
    event.revoked = kiosk.revokedAt != nil
    return OutboxEvent(
      entity: kiosk.name, version: kiosk.version, kind: kioskChanged,
      payload: try event.wireBytes())
  }

  static func changed(_ point: StoredPoint) throws -> OutboxEvent {
    var event = PointChanged()
    event.point = point.name
    event.managingOrganization = "organizations/\(point.organization)"
    return OutboxEvent(
      entity: point.name, version: point.version, kind: pointChanged,
      payload: try event.wireBytes())
  }

  /// Returns the event as the message of the contract.
  static func response(_ event: FeedEvent) throws -> WatchStationEventsResponse {
    var response = WatchStationEventsResponse()
    response.cursor = event.cursor.text
    response.entity = event.entity
    response.entityVersion = event.version
    response.createTime = Timestamp(microseconds: event.time.microseconds)
    switch event.kind {
    case kioskChanged: response.event = .kioskChanged(try KioskChanged(wireBytes: event.payload))
    case pointChanged: response.event = .pointChanged(try PointChanged(wireBytes: event.payload))
    default: break
    }
    return response
  }
}
