import Foundation
import RPC
import ServiceKit
import Storage

extension MembersService {
  /// One write of a unary RPC: done once a request id of the caller and the method.
  ///
  /// - Parameter payload: The request's bytes with the request id cleared.
  func writeOnce(
    _ requestID: String, payload: [UInt8], at now: Date, _ context: ServerContext,
    _ step: @escaping @Sendable () throws -> Step<[UInt8]>
  ) async throws -> [UInt8] {
    let key = RequestKey(
      caller: try context.caller.subject, method: context.method.path, requestID: requestID)
    let ledger = keys.ledger
    return try await database.write { ledger.once(key, payload: payload, at: now, step) }
  }
}

/// An etag says a version: `v3`.
enum Etag {
  /// - Throws: ``CommonFailure/etagMismatch`` where one is stated and it is not that of `version`.
  static func check(_ stated: String, _ version: Int64) throws {
    guard stated.isEmpty || stated == "v\(version)" else { throw CommonFailure.etagMismatch }
  }
}
