import GoogleProtobuf
import ServiceKit
import StationsV1
import Storage

/// A kiosk, as stored.
struct StoredKiosk: Sendable, Hashable {
  var id: String
  /// 1 after registration, 2 after revocation.
  var version: Int64
  /// Identifier of the kiosk's point.
  var point: String
  var displayName: String
  /// SHA-256 of the API key, which is itself not stored.
  var keySHA256: [UInt8]
  /// Microseconds since 1970.
  var createdAt: Int64
  /// Microseconds since 1970; nil while the credential is valid.
  var revokedAt: Int64?

  var name: String { "kiosks/\(id)" }

  /// The resource of the contract.
  var message: Kiosk {
    var kiosk = Kiosk()
    kiosk.name = name
    kiosk.point = "points/\(point)"
    kiosk.displayName = displayName
    kiosk.createTime = Timestamp(microseconds: createdAt)
    kiosk.revokeTime = revokedAt.map { Timestamp(microseconds: $0) }
    return kiosk
  }
}

/// The SQL of kiosks and of their spool epochs.
enum KioskStore {
  static func byID(_ id: String) -> Query<StoredKiosk?> {
    .first(
      """
      SELECT id, version, point_id, display_name, key_sha256, created_at, revoked_at
      FROM kiosk WHERE id = ?1
      """, [id]
    ) { row in
      StoredKiosk(
        id: try row.text("id"), version: try row.integer("version"),
        point: try row.text("point_id"), displayName: try row.text("display_name"),
        keySHA256: try row.blob("key_sha256"), createdAt: try row.integer("created_at"),
        revokedAt: try row.optionalInteger("revoked_at"))
    }
  }

  static func insert(_ kiosk: StoredKiosk, into commit: inout Commit) {
    commit.run(
      """
      INSERT INTO kiosk (id, version, point_id, display_name, key_sha256, created_at)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6)
      """,
      [
        kiosk.id, kiosk.version, kiosk.point, kiosk.displayName, kiosk.keySHA256, kiosk.createdAt,
      ], expects: .exactly(1))
  }

  /// Stores a revocation; `kiosk.version` is one above the stored version.
  static func revoke(_ kiosk: StoredKiosk, in commit: inout Commit) {
    commit.run(
      "UPDATE kiosk SET revoked_at = ?2, version = ?3 WHERE id = ?1 AND version = ?4",
      [kiosk.id, kiosk.revokedAt, kiosk.version, kiosk.version - 1], expects: .exactly(1))
  }

  /// Returns the acknowledged sequence of an epoch; nil before its first visit.
  static func acknowledged(kiosk: String, epoch: String) -> Query<Int64?> {
    .first(
      "SELECT acknowledged_sequence FROM kiosk_epoch WHERE kiosk_id = ?1 AND epoch = ?2",
      [kiosk, epoch]
    ) { try $0.integer("acknowledged_sequence") }
  }

  /// Advances the acknowledged sequence of an epoch, guarded by the one that was read: another
  /// stream of the kiosk may have advanced it.
  static func acknowledge(
    _ stream: KioskStream, from old: Int64?, to new: Int64, at now: Int64, in commit: inout Commit
  ) {
    guard let old else {
      commit.run(
        """
        INSERT INTO kiosk_epoch (
          kiosk_id, epoch, acknowledged_sequence, skew_ms, software_version, first_at, last_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT (kiosk_id, epoch) DO NOTHING
        """,
        [
          stream.kiosk, stream.epoch, new, stream.skewMilliseconds, stream.softwareVersion, now,
        ], expects: .exactly(1))
      return
    }
    commit.run(
      """
      UPDATE kiosk_epoch
      SET acknowledged_sequence = ?4, skew_ms = ?5, software_version = ?6, last_at = ?7
      WHERE kiosk_id = ?1 AND epoch = ?2 AND acknowledged_sequence = ?3
      """,
      [
        stream.kiosk, stream.epoch, old, new, stream.skewMilliseconds, stream.softwareVersion, now,
      ], expects: .exactly(1))
  }
}
