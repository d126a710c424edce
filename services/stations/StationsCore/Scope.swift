import ServiceKit
import StationsV1
import Storage
import YijiaTypeV1

extension Caller.Scope {
  /// The scope as a query parameter: empty for everything; a text that is no identifier for
  /// nothing.
  var sqlKey: String {
    switch self {
    case .wholeTree: ""
    case .subtree(let organization): organization
    case .nothing: "-"
    }
  }
}

extension PointStore {
  /// Authorizes access to a point that was read with ``PointStore/scoped(_:for:)``: staff see the
  /// points in their scope, a kiosk its own point, partners the open points. Which kinds of caller
  /// may call a method at all is stated by its policy.
  ///
  /// - Throws: ``StationsError/pointNotFound``, `CommonFailure.outOfScope`.
  static func check(_ found: Scoped?, for caller: Caller) throws -> StoredPoint {
    guard let found else { throw StationsError.pointNotFound }
    switch caller.kind {
    case .staff:
      guard found.isInScope else { throw CommonFailure.outOfScope }
    case .kiosk:
      guard found.point.id == caller.point else { throw CommonFailure.outOfScope }
    case .partner:
      guard found.point.state == .open else { throw StationsError.pointNotFound }
    default:
      throw CommonFailure.callerKind
    }
    return found.point
  }
}

extension StationsService {
  /// Returns a point that `caller` may see.
  func point(_ id: String, for caller: Caller) async throws -> StoredPoint {
    try PointStore.check(await database.read(PointStore.scoped(id, for: caller)), for: caller)
  }
}
