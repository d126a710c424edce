import Foundation
import ServiceKit
import YijiaTypeV1

/// The partners and staff of the configuration, found by the hash of what they show.
///
/// An immutable value, so that a new configuration can take the place of the old one as a whole.
public struct CallerDirectory: Sendable {
  /// A partner, and what it may call.
  struct Partner: Sendable {
    let caller: Caller
    let grant: Grant
    /// What it may do, where that is not the default.
    let limits: [LimitSetting]
  }

  /// A member of staff, and until when.
  struct Staff: Sendable {
    let caller: Caller
    let expiresAt: Date
  }

  private var partners: [CredentialHash: Partner] = [:]
  private var staff: [CredentialHash: Staff] = [:]

  /// - Parameter configuration: One that ``GatewayConfiguration/validate()`` passed.
  /// - Throws: ``ConfigurationError``.
  public init(_ configuration: GatewayConfiguration) throws {
    for setting in configuration.partners {
      guard let hash = CredentialHash(hex: setting.apiKeySHA256) else {
        throw ConfigurationError("partners.api_key_sha256: 64 lower-case hex digits")
      }
      partners[hash] = Partner(
        caller: Caller(kind: .partner, subject: "partners/\(setting.id)"),
        grant: Grant(listed: setting.methods), limits: setting.limits)
    }
    for setting in configuration.staff {
      guard let hash = CredentialHash(hex: setting.tokenSHA256),
        let role = StaffRole(setting: setting.role), let expiry = setting.expireDate
      else { throw ConfigurationError("staff: a hash, role or time that is none") }
      staff[hash] = Staff(
        caller: Caller(
          kind: .staff, subject: "staff/\(setting.id)", organization: setting.organization,
          staffRole: role),
        expiresAt: expiry)
    }
  }

  /// The partner with that key.
  func partner(_ hash: CredentialHash) -> Partner? { partners[hash] }

  /// The member of staff with that token.
  func staff(_ hash: CredentialHash) -> Staff? { staff[hash] }
}
