import GoogleType
import RPC
import ServiceKit
import StationsV1
import Storage
import Testing
import YijiaTypeV1

@testable import StationsCore

@Suite struct PointLifecycleTests {
  private static let states: [PointState] = [
    .planned, .building, .open, .suspended, .closed, .unspecified, .unrecognized(77),
  ]

  /// Every state × every action, in the order of `states` and of `PointAction.allCases`.
  private static let table: [[PointLifecycle.Outcome]] = [
    [.becomes(.building), .becomes(.open), .refused, .becomes(.closed)],
    [.unchanged, .becomes(.open), .refused, .becomes(.closed)],
    [.refused, .unchanged, .becomes(.suspended), .becomes(.closed)],
    [.refused, .becomes(.open), .unchanged, .becomes(.closed)],
    [.refusedClosed, .refusedClosed, .refusedClosed, .unchanged],
    [.refused, .refused, .refused, .refused],
    [.refused, .refused, .refused, .refused],
  ]

  @Test("every action in every state has the outcome of the table")
  func wholeTable() {
    #expect(PointAction.allCases == [.build, .open, .suspend, .close])
    for (state, row) in zip(Self.states, Self.table) {
      for (action, outcome) in zip(PointAction.allCases, row) {
        #expect(PointLifecycle.apply(action, to: state) == outcome, "\(action) on \(state)")
      }
    }
  }

  @Test("a point was open only between its opening and the state that followed")
  func history() {
    let history = PointHistory(entries: [
      .init(from: 10, state: .planned), .init(from: 20, state: .open),
      .init(from: 30, state: .suspended), .init(from: 40, state: .open),
    ])
    let open = (0...60).filter { history.wasOpen(during: $0...$0) }
    #expect(open == Array(20..<30) + Array(40...60))
    #expect(history.wasOpen(during: 15...20))
    #expect(!history.wasOpen(during: 30...39))
  }
}

@Suite struct PointTests {
  @Test("a point is stored PLANNED as given, and read again")
  func create() async throws {
    try await World.run { world in
      let point = try await world.createPoint()
      #expect(point.state == .planned)
      #expect(point.facilities == [.parking, .shower])
      #expect(point.etag == "v1")
      #expect(IDSource.isIdentifier(point.name.dropFirst(7)))
      var request = GetPointRequest()
      request.name = point.name
      let client = try world.client(.staff(Tree.city, role: .viewer))
      #expect(try await client.getPoint(request).point == point)
    }
  }

  @Test("every invalid field is reported at once")
  func everyField() async throws {
    try await World.run { world in
      var request = CreatePointRequest()
      request.requestID = "7"
      request.coordinateSystem = .unrecognized(9)
      var point = world.draft(latitude: 91)
      point.displayName = " x\u{301} "
      point.kind = .unrecognized(44)
      point.address = String(repeating: "长", count: 201)
      point.regionCode = "3406"
      point.facilities = [.unspecified]
      point.capacity = -1
      point.managingOrganization = "organizations/1"
      request.point = point
      await expectFailure(
        "INVALID_FIELDS request_id=INVALID_UUID point.address=INVALID_LENGTH "
          + "point.kind=UNKNOWN_VALUE point.location=OUT_OF_RANGE coordinate_system=UNKNOWN_VALUE "
          + "point.region_code=INVALID_REGION_CODE point.facilities=UNKNOWN_VALUE "
          + "point.capacity=OUT_OF_RANGE point.managing_organization=INVALID_NAME"
      ) { try await world.client(.staff(Tree.province)).createPoint(request) }
      await expectFailure(
        "INVALID_FIELDS request_id=REQUIRED point=REQUIRED point.display_name=REQUIRED "
          + "point.kind=REQUIRED point.location=REQUIRED point.region_code=REQUIRED "
          + "point.managing_organization=REQUIRED"
      ) { try await world.client(.staff(Tree.province)).createPoint(CreatePointRequest()) }
    }
  }

  @Test("GCJ-02 is converted to within a meter")
  func conversion() async throws {
    try await World.run { world in
      var request = CreatePointRequest()
      request.requestID = uuid()
      request.coordinateSystem = .gcj02
      request.point = world.draft(latitude: 39.913_345_455, longitude: 116.384_047_223)
      let point = try await world.client(.staff(Tree.province)).createPoint(request).point
      let location = try #require(point?.location)
      let meters = GreatCircle.meters(
        Coordinates(latitude: location.latitude, longitude: location.longitude),
        Coordinates(latitude: 39.911954, longitude: 116.377817))
      #expect(meters < 1)
    }
  }

  @Test("the same request id returns the first reply; another payload is refused")
  func replay() async throws {
    try await World.run { world in
      let client = try world.client(.staff(Tree.province))
      var request = CreatePointRequest()
      request.requestID = uuid()
      request.point = world.draft()
      let first = try await client.createPoint(request)
      #expect(try await client.createPoint(request) == first)
      request.point?.capacity = 41
      await expectFailure("the request id was used with another payload") {
        try await client.createPoint(request)
      }
    }
  }

  @Test("opening sets OPEN, returns a new etag, and is refused for a stale one")
  func open() async throws {
    try await World.run { world in
      let point = try await world.createPoint()
      let client = try world.client(.staff(Tree.county, role: .clerk))
      var request = OpenPointRequest()
      request.requestID = uuid()
      request.name = point.name
      request.etag = point.etag
      let opened = try await client.openPoint(request).point
      #expect(opened?.state == .open)
      #expect(opened?.etag == "v2")
      #expect(try await client.openPoint(request).point == opened, "a replay")
      request.requestID = uuid()
      await expectFailure("ETAG_MISMATCH") { try await client.openPoint(request) }
      request.etag = ""
      #expect(try await client.openPoint(request).point == opened, "it is open already")
      request.requestID = uuid()
      request.name = "points/" + hexID(99)
      await expectFailure("POINT_NOT_FOUND") { try await client.openPoint(request) }
    }
  }

  @Test("a permanently closed point cannot be opened")
  func closed() async throws {
    try await World.run { world in
      let point = try await world.createPoint()
      var stored = try #require(
        try await world.database.read(PointStore.byID(String(point.name.dropFirst(7)))))
      stored.state = .closed
      stored.version += 1
      var commit = Commit(at: world.clock.now)
      PointStore.setState(of: stored, at: world.clock.microseconds, in: &commit)
      try await world.database.write(commit)
      await expectFailure("POINT_CLOSED") { try await world.open(point.name) }
      await expectFailure("POINT_CLOSED") { try await world.registerKiosk(at: point.name) }
    }
  }

  @Test("a new point waits briefly for its union, which the feed delivers")
  func justFounded() async throws {
    try await World.run { plain in
      // A loaded machine may take longer than the service waits.
      var patient = plain
      patient.service.organizationWaitMax = .seconds(60)
      let world = patient
      let union = hexID(0xc1)
      var point = world.draft()
      point.managingOrganization = "organizations/\(union)"
      async let created = world.createPoint(point)
      world.members.emitOrganization(union, parent: Tree.county)
      try await world.feed.catchUp()
      #expect(try await created.managingOrganization == point.managingOrganization)
    }
  }

  @Test("staff act in their subtree only; kiosks see their point, partners the open ones")
  func scope() async throws {
    try await World.run { world in
      let planned = try await world.createPoint()
      let station = try await world.station()
      func get(_ name: String, as caller: Caller) async throws -> Point? {
        var request = GetPointRequest()
        request.name = name
        return try await world.client(caller).getPoint(request).point
      }
      for organization in [Tree.province, Tree.city, Tree.county] {
        #expect(try await get(planned.name, as: .staff(organization)) == planned)
      }
      for outsider in [Caller.staff(Tree.elsewhere), .staff(hexID(9)), .staff("", role: .clerk)] {
        await expectFailure("OUT_OF_SCOPE") { try await get(planned.name, as: outsider) }
      }
      #expect(
        try await get(planned.name, as: .staff("")) == planned, "the whole tree's administrator")
      #expect(try await get(station.point, as: station.kioskCaller)?.name == station.point)
      await expectFailure("OUT_OF_SCOPE") { try await get(planned.name, as: station.kioskCaller) }
      #expect(try await get(station.point, as: .partner)?.name == station.point)
      await expectFailure("POINT_NOT_FOUND") { try await get(planned.name, as: .partner) }

      var create = CreatePointRequest()
      create.requestID = uuid()
      create.point = world.draft()
      await expectFailure("OUT_OF_SCOPE") {
        try await world.client(.staff(Tree.elsewhere)).createPoint(create)
      }
      create.point?.managingOrganization = "organizations/" + hexID(77)
      await expectFailure("ORGANIZATION_NOT_FOUND") {
        try await world.client(.staff(Tree.province)).createPoint(create)
      }
      var open = OpenPointRequest()
      open.requestID = uuid()
      open.name = planned.name
      await expectFailure("OUT_OF_SCOPE") {
        try await world.client(.staff(Tree.elsewhere)).openPoint(open)
      }
    }
  }
}
