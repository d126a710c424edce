public import MembersV1
import Protobuf
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Closes a list: erases its entries and keeps its progress.
  public func closeOutreachList(
    _ request: CloseOutreachListRequest, context: ServerContext
  ) async throws -> CloseOutreachListResponse {
    var payload = request
    payload.requestID = ""
    let caller = try context.caller
    let now = clock.now
    var checks = FieldChecks()
    let requestID = checks.requestID(request.requestID)
    let id =
      checks.resource(request.name, of: "outreachLists", "name") ?? ""
    try checks.check()
    let etag = request.etag
    let reply = try await writeOnce(
      requestID ?? "", payload: try payload.wireBytes(), at: now, context
    ) {
      .read(
        StaffScope.query(of: caller), OutreachStore.byID(id), OutreachStore.counts(of: id)
      ) { scope, placed, counts in
        guard let placed, scope.holds(placed.path) else { throw MembersError.outreachNotFound }
        try Etag.check(etag, placed.list.version)
        var list = placed.list
        try list.apply(.close)
        var progress = OutreachList()
        progress.counts = StoredOutreachList.counts(counts)
        list.progress = try progress.wireBytes()
        var commit = Commit(at: now)
        OutreachStore.close(list, into: &commit)
        commit.emit(try .changed(list))
        commit.record(
          AuditEntry(
            actor: caller.subject, action: "outreachLists.close", target: "outreachLists/\(id)"))
        return .commit(commit, try list.message().wireBytes())
      }
    }
    return try .with { $0.outreachList = try OutreachList(wireBytes: reply) }
  }
}
