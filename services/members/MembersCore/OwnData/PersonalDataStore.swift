import GoogleProtobuf
import MembersV1
import ServiceKit
import Storage

/// The SQL of personal data other than memberships, for export and erasure.
enum PersonalDataStore {
  /// An application as stored.
  struct Application: Sendable {
    /// The message without the application itself.
    var message: PersonalApplication
    /// The application, sealed under the person's key.
    var sealed: [UInt8]
  }

  /// Returns all applications of a person, oldest first. The limit exceeds what a person submits.
  static func applications(of person: String) -> Query<[Application]> {
    .all(
      """
      SELECT id, state, created, application FROM enrollments WHERE person_id = ?1
      ORDER BY created, id LIMIT 10000
      """, [person]
    ) { row in
      var message = PersonalApplication()
      message.name = "enrollments/\(try row.text("id"))"
      message.state = EnrollmentState(rawValue: try row.int32("state"))
      message.createTime = Timestamp(microseconds: try row.integer("created"))
      return Application(message: message, sealed: try row.blob("application"))
    }
  }

  /// Returns the last application of a person.
  static func newestApplication(of person: String) -> Query<String?> {
    .first(
      "SELECT id FROM enrollments WHERE person_id = ?1 ORDER BY created DESC, id LIMIT 1", [person]
    ) { row in try row.text("id") }
  }

  /// Returns what is open for persons and ends with their erasure.
  static func open(
    of persons: [String], then next: @escaping @Sendable (OpenItems) throws -> Step<[UInt8]>
  ) -> Step<[UInt8]> {
    .read(EnrollmentStore.waiting(of: persons), CorrectionStore.open(of: persons)) {
      enrollments, corrections in
      try next(
        OpenItems(
          enrollments: enrollments.map(\.enrollment), corrections: corrections.map(\.correction)))
    }
  }

  /// Erases a person: destroys the data key and with it everything sealed, empties the fields,
  /// deletes the hashes, and ends open enrollments and corrections.
  ///
  /// - Parameters:
  ///   - isMember: Whether the person has a membership in any state; guarded.
  ///   - hashes: The hashes by which the person is found.
  ///   - open: What is open for the person, and maybe for others; guarded.
  static func erase(
    _ person: StoredPerson, isMember: Bool, hashes: PersonHashes, open: OpenItems,
    into commit: inout Commit
  ) throws {
    let (id, nothing) = (person.id, [UInt8]())
    commit.run(
      """
      UPDATE persons SET wrapped_key = NULL, person_name = ?3, resident_id = ?3, phone = ?3
      WHERE id = ?1 AND wrapped_key = ?2
      """, [id, person.wrappedKey, nothing], expects: .exactly(1))
    OutreachStore.erase(hashes.residentID, into: &commit)
    PersonStore.remove(hashes, of: id, into: &commit)
    try open.end(of: id, into: &commit)
    commit.run("UPDATE enrollments SET application = ?2 WHERE person_id = ?1", [id, nothing])
    commit.run("DELETE FROM open_enrollments WHERE person_id = ?1", [id])
    // After the enrollments, because one approved concurrently creates a membership.
    commit.run(
      "UPDATE memberships SET code = ?2, code_sha256 = ?2, details = NULL WHERE id = ?1",
      [id, nothing], expects: .exactly(isMember ? 1 : 0))
    commit.run("UPDATE corrections SET data = ?2 WHERE member_id = ?1", [id, nothing])
    commit.run("UPDATE away_reports SET details = ?2 WHERE member_id = ?1", [id, nothing])
    // Open duplicates of an erased person serve no purpose.
    commit.run(
      """
      DELETE FROM duplicate_cases
      WHERE (person_id = ?1 OR other_person_id = ?1) AND state = ?2
      """, [id, DuplicateState.open.word])
  }
}

/// What is open for persons and ends with their erasure.
struct OpenItems: Sendable {
  /// The undecided enrollments, up to `EnrollmentStore.waitingMax`.
  var enrollments: [StoredEnrollment]
  var corrections: [StoredCorrection]

  /// Withdraws a person's enrollments and cancels the correction, guarded against others that were
  /// opened meanwhile.
  fileprivate func end(of person: String, into commit: inout Commit) throws {
    for var enrollment in enrollments where enrollment.personID == person {
      var progress = EnrollmentProgress(enrollment.state)
      _ = try progress.apply(.withdraw)
      enrollment.state = progress.state
      enrollment.version += 1
      commit.run(EnrollmentStore.decide(enrollment))
      // Visible to services only, like every decision.
      commit.emit(try .changed(enrollment, audience: nil))
    }
    let isComplete = enrollments.count < EnrollmentStore.waitingMax
    commit.run(
      EnrollmentStore.withdrawWaiting(of: person, expects: isComplete ? .exactly(0) : .any))
    for correction in corrections where correction.memberID == person {
      try commit.change(correction, .cancel)
    }
    commit.run(CorrectionStore.noneOpen(of: person))
  }
}
