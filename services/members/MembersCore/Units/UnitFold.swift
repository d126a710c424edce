import Foundation
import MembersV1
import ServiceKit
import Storage

/// Counts the members of units asynchronously. Each change of a membership queues its member; a
/// fold determines the member's current unit, updates the counts, and detects crossings of the
/// threshold. After a change of a threshold, folds review all units.
///
/// Updating the counter in each enrollment's commit would serialize the people of a ceremony on one
/// row. Queue entries are deleted in the commit that counts them: of two concurrent folds of the
/// same entries only one succeeds, so a crossing is notified once.
struct UnitFold: Sendable {
  /// The maximum number of members per fold; each requires unwrapping a key.
  private static let membersMax = 200
  /// The maximum number of units reviewed per fold.
  static let reviewedMax = 500

  let database: any Database
  let keys: MembersKeys
  let ids: IDSource
  let now: Date

  /// Processes some entries of the queues: of moved organizations, of members, and of units to be
  /// reviewed.
  ///
  /// - Returns: The number of processed entries.
  func foldOnce() async throws -> Int {
    let moved = try await queueMoved()
    let counted = try await countWaiting()
    return try await moved + counted + review()
  }

  /// Counts some of the queued members.
  ///
  /// - Returns: The number of processed entries.
  func countWaiting() async throws -> Int {
    let (keys, now) = (keys, now)
    let newIDs = (0..<Self.membersMax).map { _ in ids.next() }
    return try await database.write {
      .read(UnitQueue.waiting(limit: Self.membersMax)) { waiting in
        guard !waiting.isEmpty else { return .reply(0) }
        let places = waiting.map { UnitPlace($0, keys) }
        return .read(UnitLevels.of(paths: places.compactMap(\.path))) { levels in
          let found = places.map { $0.placed(in: levels) }
          return .read(
            UnitStore.byIDs(Array(Set(found.compactMap(\.former))).sorted()),
            UnitStore.byHashes(
              Array(Set(found.flatMap { place in place.hashes(keys) })),
              of: Array(Set(found.compactMap(\.township))).sorted()),
            UnitThresholds.current
          ) { former, wanted, thresholds in
            var count = UnitCount(
              units: former + wanted, levels: levels, thresholds: thresholds, keys: keys,
              now: now, newIDs: newIDs)
            for place in found { try count.move(place) }
            var commit = Commit(at: now)
            commit.run(thresholds.areStill)
            try count.store(into: &commit)
            UnitQueue.takeAway(waiting, &commit)
            return .commit(commit, waiting.count)
          }
        }
      }
    }
  }

  /// Evaluates the next of the units that a changed threshold may concern.
  ///
  /// - Returns: The number of processed pages; 0 if all units are reviewed.
  func review() async throws -> Int {
    let now = now
    return try await database.write {
      .read(UnitThresholds.current) { thresholds in
        guard let after = thresholds.reviewedTo else { return .reply(0) }
        return .read(UnitStore.counting(after: after, limit: Self.reviewedMax)) { page in
          var commit = Commit(at: now)
          commit.run(
            thresholds.areReviewed(to: page.count < Self.reviewedMax ? nil : page.last?.unit.id))
          for placed in page {
            var unit = placed.unit
            try unit.count(threshold: thresholds.threshold(in: placed.regionCode))
            guard unit != placed.unit else { continue }
            unit.version += 1
            try commit.changed(unit)
          }
          return .commit(commit, 1)
        }
      }
    }
  }
}

/// A queued member with the managing organization and the employer.
struct UnitPlace: Sendable {
  let memberID: String
  /// The unit in which the member is counted.
  let former: String?
  /// The path of the managing organization; `nil` if the member is not counted.
  let path: String?
  let identity: UnitIdentity?
  private(set) var township: String?

  init(_ waiting: UnitQueue.Entry, _ keys: MembersKeys) {
    memberID = waiting.memberID
    former = waiting.unitID
    guard let known = waiting.known,
      [.pooled, .active].contains(known.member.state),
      let key = try? keys.personKey(of: known.person),
      let details = try? known.member.openDetails(key),
      let identity = UnitIdentity(
        name: details.employerName, creditCode: details.employerCreditCode)
    else {
      (path, self.identity) = (nil, nil)
      return
    }
    path = known.managingPath
    self.identity = identity
  }

  /// Returns the member with the township in which they are managed, if any.
  func placed(in levels: UnitLevels) -> UnitPlace {
    var place = self
    place.township = path.flatMap(levels.township)
    return place
  }

  func hashes(_ keys: MembersKeys) -> [[UInt8]] {
    guard township != nil, let identity else { return [] }
    return keys.units.candidates(identity.key)
  }
}

/// The units changed by a fold.
private struct UnitCount {
  private var units: [String: StoredUnit] = [:]
  private let stored: [String: StoredUnit]
  private let levels: UnitLevels
  private let thresholds: UnitThresholds
  private let keys: MembersKeys
  /// The number of the key under which new units are hashed, or of an older one.
  private let hashKey: UInt32
  private let now: Date
  private var newIDs: [String]
  private var moves: [(member: String, former: String?, unit: String?)] = []

  init(
    units: [PlacedUnit], levels: UnitLevels, thresholds: UnitThresholds, keys: MembersKeys,
    now: Date, newIDs: [String]
  ) {
    for placed in units { self.units[placed.unit.id] = placed.unit }
    stored = self.units
    var levels = levels
    levels.add(units)
    self.levels = levels
    self.thresholds = thresholds
    self.keys = keys
    hashKey = keys.units.currentKeyID
    self.now = now
    self.newIDs = newIDs
  }

  /// Moves a member from the unit in which they are counted to their current one.
  mutating func move(_ place: UnitPlace) throws {
    // A member may be queued twice; both entries have the same place.
    guard !moves.contains(where: { $0.member == place.memberID }) else { return }
    let (former, next) = (place.former, try unit(of: place))
    guard former != next else { return }
    if let former { units[former]?.members -= 1 }
    if let next { units[next]?.members += 1 }
    moves.append((place.memberID, former, next))
  }

  private mutating func unit(of place: UnitPlace) throws -> String? {
    guard let township = place.township, let identity = place.identity else { return nil }
    let hashes = keys.units.candidates(identity.key)
    if let known = units.values.first(where: {
      $0.organizationID == township
        && (hashes.contains($0.hash) || $0.olderHash.map(hashes.contains) == true)
    }) {
      return known.id
    }
    let unit = try keys.newUnit(
      id: newIDs.removeLast(), identity, organizationID: township,
      created: now.microseconds)
    units[unit.id] = unit
    return unit.id
  }

  func store(into commit: inout Commit) throws {
    for var unit in units.values.sorted(by: { $0.id < $1.id }) {
      try unit.count(
        threshold: thresholds.threshold(in: levels.townships[unit.organizationID] ?? ""))
      if let before = stored[unit.id] {
        guard unit != before else { continue }
        unit.version += 1
        try commit.changed(unit, isTold: unit.state != before.state)
      } else {
        try commit.refuseOutdated(hashKey: hashKey, sealed: unit.wrappedKey)
        commit.run(UnitStore.insert(unit))
        if unit.state != .counting { commit.emit(try .changed(unit)) }
      }
    }
    for (member, former, unit) in moves {
      commit.run(UnitQueue.count(member, from: former, in: unit))
    }
  }
}

extension StoredUnit {
  /// Updates the state for the current count.
  mutating func count(threshold: Int) throws {
    var index = UnitIndex(state)
    if try index.apply(members >= Int64(threshold) ? .enough : .tooFew) { crossings += 1 }
    state = index.state
  }
}

extension StoredUnit {
  /// Counts the unit anew, because its union is dissolved.
  mutating func loseUnion(threshold: Int) throws {
    var index = UnitIndex(state)
    _ = try index.apply(.loseUnion)
    state = index.state
    unionID = nil
    try count(threshold: threshold)
    version += 1
  }
}

extension Commit {
  /// Stores a changed unit, whose version is incremented, and emits its event if `isTold`.
  mutating func changed(_ unit: StoredUnit, isTold: Bool = true) throws {
    run(UnitStore.update(unit))
    if isTold { emit(try .changed(unit)) }
  }
}
