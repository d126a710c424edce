import Foundation
import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Executes the write of a unary RPC once per request id, caller and method.
  ///
  /// - Parameter payload: The serialized request with its request id cleared.
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
