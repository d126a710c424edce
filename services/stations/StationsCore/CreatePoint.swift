import Protobuf
public import RPC
import ServiceKit
public import StationsV1
import Storage

extension StationsService {
  /// Creates a point, in the state PLANNED, within the caller's subtree.
  public func createPoint(
    _ request: CreatePointRequest, context: ServerContext
  ) async throws -> CreatePointResponse {
    let caller = try context.caller
    let now = clock.now
    var checks = FieldChecks()
    let key = checks.requestID(request.requestID)
    let draft = checks.point(
      request.point ?? Point(), system: request.coordinateSystem, isGiven: request.point != nil)
    let (requestID, checked) = try checks.finish(key, draft)
    var point = checked
    point.id = ids.next()
    point.createdAt = now.microseconds

    try await waitForOrganization(point.organization, caller: caller)
    var payload = request
    payload.requestID = ""
    let detail = try payload.wireBytes()
    let stored = point
    return try await once(
      context, caller: caller, requestID: requestID, payload: payload, now: now
    ) {
      .read(OrganizationStore.place(of: stored.organization, in: caller.scope)) { place in
        guard place.isKnown else { throw StationsError.organizationNotFound }
        guard place.isWithin else { throw CommonFailure.outOfScope }
        var commit = Commit(at: now)
        PointStore.insert(stored, into: &commit)
        commit.emit(try StationEvents.changed(stored))
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "stations.create_point", target: stored.name,
            detail: detail))
        var response = CreatePointResponse()
        response.point = stored.message
        return .commit(commit, response)
      }
    }
  }

  /// Waits until the members' feed has delivered an organization, for `organizationWaitMax` at
  /// most.
  private func waitForOrganization(_ organization: String, caller: Caller) async throws {
    let end = ContinuousClock.now + organizationWaitMax
    let query = OrganizationStore.place(of: organization, in: caller.scope)
    try await hub.watch(.organizations) { changed in
      while try await !database.read(query).isKnown {
        let left = ContinuousClock.now.duration(to: end)
        guard left > .zero else { return }
        await changed.wait(atMost: left)
        try Task.checkCancellation()
      }
    }
  }
}

extension FieldChecks {
  /// Longest list of facilities that is read. There are 17, so a longer list has duplicates.
  private static let facilitiesMax = 64
  /// Largest capacity.
  private static let capacityMax: Int32 = 100_000

  /// Validates the point of a request: PLANNED and without an identifier; nil where a field is
  /// invalid.
  fileprivate mutating func point(
    _ point: Point, system: CoordinateSystem, isGiven: Bool
  ) -> StoredPoint? {
    require(isGiven, "point", "REQUIRED", zh: "必填。", en: "is required.")
    let displayName = text(point.displayName, "point.display_name", length: 2...100)
    let address = text(point.address, "point.address", length: 0...200)
    require(
      point.kind != .unspecified && PointKind.allCases.contains(point.kind), "point.kind",
      point.kind == .unspecified ? "REQUIRED" : "UNKNOWN_VALUE", zh: "应为已知的站点类型。",
      en: "must be a known kind of point.")
    let place = coordinates(point.location, system: system, field: "point.location")
    require(
      [6, 9, 12].contains(point.regionCode.utf8.count)
        && point.regionCode.utf8.allSatisfy { (0x30...0x39).contains($0) },
      "point.region_code", point.regionCode.isEmpty ? "REQUIRED" : "INVALID_REGION_CODE",
      zh: "应为 6、9 或 12 位数字。", en: "must have 6, 9 or 12 digits.")
    let facilities =
      point.facilities.count <= Self.facilitiesMax ? FacilitySet(point.facilities) : nil
    require(
      facilities != nil, "point.facilities", "UNKNOWN_VALUE", zh: "含未知设施。",
      en: "has an unknown facility.")
    require(
      (0...Self.capacityMax).contains(point.capacity), "point.capacity", "OUT_OF_RANGE",
      zh: "应为 0 至 \(Self.capacityMax)。", en: "must be from 0 to \(Self.capacityMax).")
    let organization = resource(
      point.managingOrganization, of: "organizations", "point.managing_organization")
    guard failures.isEmpty, let place, let facilities, let organization else { return nil }
    return StoredPoint(
      id: "", version: 1, displayName: displayName, kind: point.kind, state: .planned,
      place: place, address: address, regionCode: point.regionCode, facilities: facilities,
      capacity: point.capacity, organization: organization, createdAt: 0)
  }
}
