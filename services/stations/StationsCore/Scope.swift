import ServiceKit
import StationsV1
import Storage
import YijiaTypeV1

/// The part of the organizations' tree that a caller may act in: a staff caller's own subtree.
/// Staff without an organization have no scope, except an administrator, who has the whole tree, as
/// in yijia-members.
enum Scope: Sendable, Hashable {
  case everything
  /// Identifier of the organization at the top.
  case subtree(String)
  case nothing

  init(of caller: Caller) {
    if caller.kind != .staff {
      self = .nothing
    } else if !caller.organization.isEmpty {
      self = .subtree(caller.organization)
    } else {
      self = caller.staffRole == .administrator ? .everything : .nothing
    }
  }

  /// As queries take it: empty for everything; no identifier for nothing.
  var sqlKey: String {
    switch self {
    case .everything: ""
    case .subtree(let organization): organization
    case .nothing: "-"
    }
  }

  /// Checks a point that was read with ``PointStore/scoped(_:for:)`` for `caller`: staff see the
  /// points of their scope, a kiosk its own, a partner the open ones. Which kinds of caller a
  /// method has at all is its policy's.
  ///
  /// - Throws: ``StationsError/pointNotFound``, `CommonFailure.outOfScope`.
  static func check(_ found: PointStore.Scoped?, for caller: Caller) throws -> StoredPoint {
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
  /// A point that `caller` may see.
  func point(_ id: String, for caller: Caller) async throws -> StoredPoint {
    try Scope.check(await database.read(PointStore.scoped(id, for: caller)), for: caller)
  }
}
