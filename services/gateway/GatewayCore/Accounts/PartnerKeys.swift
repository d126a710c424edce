import Foundation
public import GatewayV1
import GoogleProtobuf
import Protobuf
public import RPC
import ServiceKit
import Storage

extension AccountsService {
  /// Valid keys per partner: a rotation needs two, and a partner has few programs.
  static let keysMax = 20
  /// Days for which a rotated key stays valid: by default, and at most.
  private static let overlapDays: (standard: Int64, max: Int64) = (7, 90)

  /// Creates a key. Its text is in the reply and stored nowhere in clear: a replay of the request
  /// decrypts the reply in the request ledger.
  public func createPartnerKey(
    _ request: CreatePartnerKeyRequest, context: ServerContext
  ) async throws -> CreatePartnerKeyResponse {
    let caller = try administrator(context)
    let now = store.clock.now
    var checks = FieldChecks()
    let given = request.key ?? PartnerKey()
    let displayName = checks.text(given.displayName, "key.display_name", length: 0...100)
    let methods = checks.methods(given.methods, "key.methods", known: methodPaths)
    let end = checks.end(given.expireTime, "key.expire_time", after: now.microseconds)
    let requestKey = checks.requestID(request.requestID)
    let owner = checks.resource(request.partner, of: "partners", "partner")
    let (requestID, partnerID) = try checks.finish(requestKey, owner)
    let secret = Secret(.partner, ids: store.ids)
    let key = StoredPartnerKey(
      id: store.ids.next(), partner: partnerID, displayName: displayName, hint: secret.hint,
      sha256: secret.sha256, methods: methods, createdAt: now.microseconds, expiresAt: end)
    var payload = request
    payload.requestID = ""
    return try await store.once(
      context, requestID: requestID, payload: payload, at: now, changes: ["partners/\(partnerID)"]
    ) {
      .read(
        PartnerStore.byID(partnerID),
        PartnerKeyStore.table.holding(of: partnerID, at: now.microseconds)
      ) { partner, holding in
        guard let partner else { throw AccountFailure.partnerNotFound }
        guard holding < Self.keysMax else { throw AccountFailure.tooManyKeys(max: Self.keysMax) }
        var commit = Commit(at: now)
        PartnerStore.update(partner, at: now.microseconds, in: &commit)
        PartnerKeyStore.insert(key, into: &commit)
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "gateway.create_partner_key", target: key.name,
            detail: Array(key.hint.utf8)))
        var response = CreatePartnerKeyResponse()
        response.key = key.message
        response.secret = secret.text
        return .commit(commit, response)
      }
    }
  }

  /// Lists the keys of a partner.
  public func listPartnerKeys(
    _ request: ListPartnerKeysRequest, context: ServerContext
  ) async throws -> ListPartnerKeysResponse {
    let (rows, next) = try await page(
      of: PartnerKeyStore.table, partner: request.partner, size: request.pageSize,
      token: request.pageToken, context, id: \.id)
    var response = ListPartnerKeysResponse()
    response.keys = rows.map(\.message)
    response.nextPageToken = next
    return response
  }

  /// Creates the successor of a key, which stays valid for an overlap. Unless the request states an
  /// end, the successor gets the lifetime that the key had.
  public func rotatePartnerKey(
    _ request: RotatePartnerKeyRequest, context: ServerContext
  ) async throws -> RotatePartnerKeyResponse {
    let now = store.clock.now
    var checks = FieldChecks()
    let overlap = Self.overlap(request.overlap, &checks)
    let end = checks.end(request.expireTime, "expire_time", after: now.microseconds)
    let secret = Secret(.partner, ids: store.ids)
    let newID = store.ids.next()
    let change = KeyChange(
      requestID: request.requestID, name: request.name, action: "rotate_partner_key", now: now)
    var payload = request
    payload.requestID = ""
    return try await self.change(change, payload, checks, context) { old, holding in
      guard old.replacedBy == nil else { throw AccountFailure.keyRotated }
      guard old.holds(at: now.microseconds) else { throw AccountFailure.keyEnded }
      guard holding < Self.keysMax else { throw AccountFailure.tooManyKeys(max: Self.keysMax) }
      let key = StoredPartnerKey(
        id: newID, partner: old.partner, displayName: old.displayName, hint: secret.hint,
        sha256: secret.sha256, methods: old.methods, createdAt: now.microseconds,
        expiresAt: end ?? old.end(madeAt: now.microseconds))
      var replaced = old
      replaced.replacedBy = newID
      replaced.expiresAt = min(old.expiresAt ?? .max, now.microseconds + overlap)
      var response = RotatePartnerKeyResponse()
      response.key = key.message
      response.secret = secret.text
      response.replacedKey = replaced.message
      return (replaced, key, response)
    }
  }

  /// Revokes a key, effective at once.
  public func revokePartnerKey(
    _ request: RevokePartnerKeyRequest, context: ServerContext
  ) async throws -> RevokePartnerKeyResponse {
    let now = store.clock.now
    var checks = FieldChecks()
    let change = KeyChange(
      requestID: request.requestID, name: request.name, action: "revoke_partner_key",
      reason: checks.reason(request.reason), now: now)
    var payload = request
    payload.requestID = ""
    return try await self.change(change, payload, checks, context) { old, _ in
      var revoked = old
      revoked.revokedAt = old.revokedAt ?? now.microseconds
      var response = RevokePartnerKeyResponse()
      response.key = revoked.message
      return (revoked, nil, response)
    }
  }

  /// Validates the overlap; in microseconds.
  private static func overlap(
    _ duration: GoogleProtobuf.Duration?, _ checks: inout FieldChecks
  ) -> Int64 {
    let day: Int64 = 86_400_000_000
    guard let duration else { return overlapDays.standard * day }
    guard (0...overlapDays.max * 86_400).contains(duration.seconds), duration.nanos >= 0,
      duration.seconds * 1_000_000 + Int64(duration.nanos) / 1_000 <= overlapDays.max * day
    else {
      checks.fail(
        "overlap", "OUT_OF_RANGE", zh: "应为 0 至 \(overlapDays.max) 天。",
        en: "must be 0 to \(overlapDays.max) days.")
      return 0
    }
    return duration.seconds * 1_000_000 + Int64(duration.nanos) / 1_000
  }
}

/// The parameters of a change of one key.
private struct KeyChange: Sendable {
  let requestID: String
  let name: String
  let action: String
  var reason = ""
  let now: Foundation.Date
}

extension AccountsService {
  /// Changes one key, and inserts its successor if there is one. Does nothing where nothing would
  /// change.
  private func change<Payload: Message, Reply: Message>(
    _ change: KeyChange, _ payload: Payload, _ checks: FieldChecks, _ context: ServerContext,
    _ apply:
      @escaping @Sendable (_ key: StoredPartnerKey, _ holding: Int) throws -> (
        StoredPartnerKey, StoredPartnerKey?, Reply
      )
  ) async throws -> Reply {
    let caller = try administrator(context)
    let now = change.now
    var checks = checks
    let requestKey = checks.requestID(change.requestID)
    let parts = checks.partOfPartner(change.name, of: "keys")
    let (requestID, (partnerID, keyID)) = try checks.finish(requestKey, parts)
    return try await store.once(
      context, requestID: requestID, payload: payload, at: now, changes: ["partners/\(partnerID)"]
    ) {
      .read(
        PartnerStore.byID(partnerID), PartnerKeyStore.table.byID(keyID, of: partnerID),
        PartnerKeyStore.table.holding(of: partnerID, at: now.microseconds)
      ) { partner, key, holding in
        guard let partner, let key else { throw AccountFailure.keyNotFound }
        let (after, added, reply) = try apply(key, holding)
        if after == key, added == nil { return .reply(reply) }
        var commit = Commit(at: now)
        PartnerStore.update(partner, at: now.microseconds, in: &commit)
        PartnerKeyStore.update(after, in: &commit)
        if let added { PartnerKeyStore.insert(added, into: &commit) }
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "gateway.\(change.action)", target: key.name,
            reason: change.reason, detail: Array((added?.name ?? "").utf8)))
        return .commit(commit, reply)
      }
    }
  }
}
