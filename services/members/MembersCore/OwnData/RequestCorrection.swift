public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Requests a correction of a person's data; a person has at most one open correction.
  ///
  /// The ledger's payload digest and reply contain no personal data in clear.
  public func requestCorrection(
    _ request: RequestCorrectionRequest, context: ServerContext
  ) async throws -> RequestCorrectionResponse {
    var payload = request
    payload.requestID = ""
    var checks = FieldChecks()
    let order = try MemberOrder(
      context, requestID: request.requestID, name: request.member, field: "member",
      reason: request.reason, payload: payload, at: clock.now, &checks)
    let data = CorrectedData(
      checking: request.data ?? CorrectedData(), now: order.act.microseconds, &checks)
    try checks.check()
    let (keys, id) = (keys, ids.next())
    let bytes = try await database.write {
      keys.ledger.once(order.key, payload: order.payload, at: order.now) {
        order.read { facts in
          // A merged record is corrected no more: the person's data are the survivor's.
          guard facts.member.state != .merged else { throw MembersError.membershipState }
          return .read(CorrectionStore.isOpen(of: order.memberID)) { isOpen in
            guard !isOpen else { throw MembersError.correctionOpen }
            let key = try keys.personKey(of: facts.known.person)
            let stored = StoredCorrection(
              id: id, memberID: order.memberID, progress: CorrectionProgress(),
              data: try key.seal(
                try data.wireBytes(), table: CorrectionStore.table, column: "data"),
              version: 1, created: order.act.microseconds)
            var commit = Commit(at: order.now)
            // Guard against a concurrent erasure or merge, which would miss the new correction.
            commit.run(PersonStore.isStill(facts.known.person))
            commit.run(MemberStore.isStill(facts.member))
            CorrectionStore.insert(stored, into: &commit)
            commit.emit(try .changed(stored))
            commit.record(order.audit("corrections.request", target: "corrections/\(id)"))
            var response = RequestCorrectionResponse()
            response.correction = stored.message
            return .commit(commit, try response.wireBytes())
          }
        }
      }
    }
    return try RequestCorrectionResponse(wireBytes: bytes)
  }
}

extension CorrectedData {
  /// Creates validated data with normalized values.
  fileprivate init(checking raw: CorrectedData, now: Int64, _ checks: inout FieldChecks) {
    self.init()
    if raw == CorrectedData() { checks.add([.required("data")]) }
    if !raw.personName.isEmpty {
      personName =
        checks.take { () throws(FieldFailure) in
          try PersonName(checking: raw.personName, field: "data.person_name").text
        } ?? ""
    }
    if !raw.residentID.isEmpty {
      residentID =
        checks.take { () throws(FieldFailure) in
          try ResidentID(
            checking: raw.residentID, field: "data.resident_id",
            on: ChinaDate(microseconds: now)
          ).text
        } ?? ""
    }
    if !raw.phone.isEmpty {
      phone =
        checks.take { () throws(FieldFailure) in
          try PhoneNumber(checking: raw.phone, field: "data.phone").text
        } ?? ""
    }
  }

  /// The data as shown in lists.
  var masked: CorrectedData {
    var masked = CorrectedData()
    if !personName.isEmpty { masked.personName = Masking.personName(personName) }
    if !residentID.isEmpty { masked.residentID = Masking.residentID(residentID) }
    if !phone.isEmpty { masked.phone = Masking.phone(phone) }
    return masked
  }
}
