import MembersV1
import ServiceKit
import Storage

/// The SQL of personal data other than memberships, for erasure and, in an extension, for export.
enum PersonalDataStore {
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
    eraseSubjects(of: id, into: &commit)
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

extension PersonalDataStore {
  /// Replaces an applicant's subject, which is a keyed hash of the phone, by the application. Only
  /// stores of before 2026-11-23 have it in the logs too, and in the audit log for good.
  private static func eraseSubjects(of id: String, into commit: inout Commit) {
    let (member, applicants) = ("members/\(id)", "LIKE 'members/%'")
    commit.run(
      """
      UPDATE enrollments SET caller = 'enrollments/' || id
      WHERE person_id = ?1 AND caller <> ?2 AND caller \(applicants)
      """, [id, member])
    commit.run(
      """
      UPDATE membership_log SET actor = 'enrollments/' || COALESCE(enrollment_id, '')
      WHERE member_id = ?1 AND actor <> ?2 AND actor \(applicants)
      """, [id, member])
    // Open and ended cases have an index each.
    for states in ["1, 2", "3, 4"] {
      commit.run(
        """
        UPDATE pool_case_log SET actor = 'enrollments/' WHERE case_id IN (
          SELECT id FROM pool_cases WHERE member_id = ?1 AND state IN (\(states))
        ) AND actor <> ?2 AND actor \(applicants)
        """, [id, member])
    }
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
