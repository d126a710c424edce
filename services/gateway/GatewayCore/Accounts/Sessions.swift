import Foundation
public import GatewayV1
public import RPC
import ServiceKit
import Storage

extension SessionsService {
  /// Ends the session of this call.
  public func signOut(
    _ request: SignOutRequest, context: ServerContext
  ) async throws -> SignOutResponse {
    try await end(try session(context), context)
    return SignOutResponse()
  }

  /// Lists the caller's sessions.
  public func listSessions(
    _ request: ListSessionsRequest, context: ServerContext
  ) async throws -> ListSessionsResponse {
    let current = context.session
    let subject = try context.caller.subject
    let held = try await store.database.read(
      SessionStore.held(by: try account(context), at: store.clock.microseconds))
    var response = ListSessionsResponse()
    response.sessions = held.filter { $0.subject == subject }.map { $0.message(current: current) }
    return response
  }

  /// Ends a session of the caller.
  public func endSession(
    _ request: EndSessionRequest, context: ServerContext
  ) async throws -> EndSessionResponse {
    var checks = FieldChecks()
    let given = checks.resource(request.name, of: "sessions", "name")
    try await end(try checks.finish(given), context)
    return EndSessionResponse()
  }

  private func end(_ id: String, _ context: ServerContext) async throws {
    let caller = try context.caller
    let now = store.clock.now
    try await store.database.write {
      .read(SessionStore.byID(id)) { session in
        guard let session, session.subject == caller.subject else {
          throw AccountFailure.sessionNotFound
        }
        var commit = Commit(at: now)
        SessionStore.end(session, at: now.microseconds, in: &commit)
        commit.record(
          AuditEntry(actor: caller.subject, action: "gateway.end_session", target: session.name))
        return .commit(commit, ())
      }
    }
    store.directory.forget("sessions/\(id)")
  }
}
