import ServiceKit
import YijiaTypeV1

/// An account that a credential issued outside of the store names: a signed token.
enum NamedAccount: Sendable, Hashable {
  /// A partner, by identifier.
  case partner(String)
  /// A staff member, by identifier.
  case staff(String)
  /// A union member, by identifier.
  case member(String)

  /// Returns nil unless the kind is `partner`, `staff` or `member` and the identifier is valid.
  init?(kind: String, id: String) {
    guard IDSource.isIdentifier(id) else { return nil }
    switch kind {
    case "partner": self = .partner(id)
    case "staff": self = .staff(id)
    case "member": self = .member(id)
    default: return nil
    }
  }

  /// Resource name of the account.
  var name: String {
    switch self {
    case .partner(let id): "partners/\(id)"
    case .staff(let id): "staff/\(id)"
    case .member(let id): "members/\(id)"
    }
  }
}
