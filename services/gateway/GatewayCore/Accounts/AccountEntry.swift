import RPC
import ServiceKit
import Storage
import YijiaTypeV1

/// What a credential is good for, beside the policy.
struct Grant: Sendable, Hashable {
  /// All that the policy allows.
  static let all = Grant(paths: nil)

  /// Nil for all.
  let paths: Set<String>?

  init(paths: Set<String>?) { self.paths = paths }

  /// As a list states it: an empty one is all.
  init(listed paths: some Collection<String>) {
    self.paths = paths.isEmpty ? nil : Set(paths)
  }

  /// What both allow.
  func intersection(_ other: Grant) -> Grant {
    guard let paths, let others = other.paths else { return Grant(paths: paths ?? other.paths) }
    return Grant(paths: paths.intersection(others))
  }

  func covers(_ path: String) -> Bool { paths?.contains(path) ?? true }
}

/// Which of the store's tables a credential is looked for in.
enum CredentialKind: Sendable, Hashable {
  /// A partner's key.
  case key
}

/// A caller whose credential the store knows, as it was when it was read.
struct AccountEntry: Sendable {
  let caller: Caller
  let grant: Grant
  /// Resource name of the account: whatever changes of it makes the entry void.
  var owner: String { caller.subject }
  /// Microseconds since 1970; `Int64.max` for never.
  let expiresAt: Int64
}

extension CredentialKind {
  /// The one that shows a secret with that hash; nil where none holds. What has expired is found.
  func entry(_ hash: CredentialHash) -> Query<AccountEntry?> {
    switch self {
    case .key:
      .first(
        """
        SELECT p.id AS partner_id, p.methods AS partner_methods, k.methods, k.expires_at
        FROM partner_key k JOIN partner p ON p.id = k.partner_id
        WHERE k.key_sha256 = ?1 AND k.revoked_at IS NULL AND p.state = 1
        """, [hash.bytes]
      ) { row in
        AccountEntry(
          caller: Caller(kind: .partner, subject: "partners/\(try row.text("partner_id"))"),
          grant: Grant(listed: MethodList.paths(try row.text("partner_methods")))
            .intersection(Grant(listed: MethodList.paths(try row.text("methods")))),
          expiresAt: try row.optionalInteger("expires_at") ?? .max)
      }
    }
  }
}
