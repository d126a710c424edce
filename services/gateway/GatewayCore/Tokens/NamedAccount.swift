import ServiceKit
import YijiaTypeV1

/// A caller whom something outside of the store names: a signed token, or a certificate.
enum NamedAccount: Sendable, Hashable {
  /// By identifier.
  case partner(String)
  case staff(String)
  case member(String)

  /// Nil where the kind is none of `partner`, `staff` and `member`, or the identifier is none.
  init?(kind: String, id: String) {
    guard IDSource.isIdentifier(id) else { return nil }
    switch kind {
    case "partner": self = .partner(id)
    case "staff": self = .staff(id)
    case "member": self = .member(id)
    default: return nil
    }
  }

  /// Resource name.
  var name: String {
    switch self {
    case .partner(let id): "partners/\(id)"
    case .staff(let id): "staff/\(id)"
    case .member(let id): "members/\(id)"
    }
  }
}
