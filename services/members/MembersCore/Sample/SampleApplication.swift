import GoogleProtobuf
public import MembersV1
import ServiceKit

extension EnrollmentApplication {
  /// The number of generated persons who can apply.
  public static let sampleCount = SampleMember.membersMax
  /// 2025-01-01T00:00:00Z in microseconds since 1970.
  private static let sampleConsent: Int64 = 1_735_689_600_000_000

  /// Returns the application of a generated person: valid, and deterministic for an index and a
  /// seed.
  ///
  /// - Parameters:
  ///   - index: The number of the person; below ``sampleCount``.
  ///   - workArea: A region code of six, nine or twelve digits.
  public static func sample(_ index: Int, seed: UInt64, workArea: String) -> Self {
    let member = SampleMember(index, of: sampleCount, seed: seed, organizations: 1)
    var application = Self()
    application.personName = member.data.name
    application.residentID = member.data.residentID
    application.phone = member.data.phone
    application.group = member.group
    application.labourRelation = .none
    var consent = Consent()
    consent.version = "sample"
    consent.evidence = "sample/\(index)"
    consent.agreeTime = Timestamp(microseconds: sampleConsent)
    application.consent = consent
    var areas = Areas()
    areas.work = workArea
    application.areas = areas
    return application
  }
}
