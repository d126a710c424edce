import GoogleProtobuf
public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Updates the fields of a live member named by the mask.
  public func updateMember(
    _ request: UpdateMemberRequest, context: ServerContext
  ) async throws -> UpdateMemberResponse {
    var payload = request
    payload.requestID = ""
    let member = request.member ?? Member()
    var checks = FieldChecks()
    let order = try MemberOrder(
      context, requestID: request.requestID, name: member.name, field: "member.name",
      etag: member.etag, reason: request.reason, payload: payload, at: clock.now, &checks)
    if member.etag.isEmpty { checks.add([.required("member.etag")]) }
    let update = MemberUpdate(member, mask: request.updateMask?.paths ?? [], &checks)
    try checks.check()
    let keys = keys
    return try await write(order, action: "members.update") { facts, commit in
      var response = UpdateMemberResponse()
      response.membership = try commit.change(facts.member, .update, by: order.act) { member in
        let key = try keys.personKey(of: facts.known.person)
        member = try update.applied(to: member, key)
      }.summary
      return response
    }
  }
}

/// The validated fields of an update.
private struct MemberUpdate: Sendable {
  private static let paths: Set = [
    "group", "details", "details.employer_name", "details.employer_credit_code",
    "details.platform", "details.vehicle_plate", "details.driver_license", "details.areas",
    "details.labour_relation", "details.migrant_worker", "details.new_form_worker",
  ]

  private let mask: Set<String>
  private let group: OccupationGroup
  private let details: MemberDetails

  init(_ member: Member, mask paths: [String], _ checks: inout FieldChecks) {
    mask = Set(paths)
    group = member.group
    details = MemberDetails(
      checking: member.details ?? MemberDetails(), field: "member.details", &checks)
    if paths.isEmpty { checks.add([.required("update_mask")]) }
    if !mask.isSubset(of: Self.paths) {
      checks.add(
        "update_mask", "INVALID_MASK",
        LocalizedText(
          zh: "含有不可修改的字段。", en: "names a field that cannot be changed."))
    }
    guard mask.contains("group") else { return }
    switch group {
    case .unspecified: checks.add([.required("member.group")])
    case .unrecognized: checks.add([.invalidValue("member.group")])
    default: break
    }
  }

  func applied(to member: StoredMember, _ key: PersonKey) throws -> StoredMember {
    var member = member
    if mask.contains("group") { member.group = group }
    let names = { (field: String) in mask.contains("details") || mask.contains("details.\(field)") }
    var kept = try member.openDetails(key)
    if names("employer_name") { kept.employerName = details.employerName }
    if names("employer_credit_code") { kept.employerCreditCode = details.employerCreditCode }
    if names("platform") { kept.platform = details.platform }
    if names("vehicle_plate") { kept.vehiclePlate = details.vehiclePlate }
    if names("driver_license") { kept.driverLicense = details.driverLicense }
    if names("areas") { kept.areas = details.areas }
    if names("labour_relation") { kept.labourRelation = details.labourRelation }
    if names("migrant_worker") { kept.migrantWorker = details.migrantWorker }
    if names("new_form_worker") { kept.newFormWorker = details.newFormWorker }
    member.details = try kept.sealed(key)
    return member
  }
}
