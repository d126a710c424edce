import Foundation
public import Logging
import ServiceKit
import YijiaTypeV1

/// The partners and staff of the configuration, by the hash of their credential.
///
/// Immutable, so that a reload replaces it as a whole.
public struct CallerDirectory: Sendable {
  /// A partner and its permissions.
  struct Partner: Sendable {
    let caller: Caller
    let grant: Grant
    /// The partner's own limits, which override the defaults.
    let limits: [LimitSetting]
  }

  /// A staff member and the expiry of the token.
  struct Staff: Sendable {
    let caller: Caller
    let expiresAt: Date
  }

  private var partners: [CredentialHash: Partner] = [:]
  private var staff: [CredentialHash: Staff] = [:]
  /// Partners by the hash of their certificate's identity.
  private var certificates: [CredentialHash: Partner] = [:]
  private var namedPartners: [NamedAccount: Partner] = [:]
  private var namedStaff: [NamedAccount: Staff] = [:]
  /// The issuers whose signed tokens are accepted.
  let issuers: TokenIssuers

  /// - Parameters:
  ///   - configuration: One that ``GatewayConfiguration/validate()`` passed.
  ///   - logger: Receives warnings about key files that cannot be read any more.
  /// - Throws: ``ConfigurationError``.
  public init(_ configuration: GatewayConfiguration, logger: Logger? = nil) throws {
    issuers = try TokenIssuers(configuration.tokenIssuers, logger: logger)
    for setting in configuration.partners {
      let partner = Partner(
        caller: Caller(kind: .partner, subject: "partners/\(setting.id)"),
        grant: Grant(listed: setting.methods), limits: setting.limits)
      namedPartners[.partner(setting.id)] = partner
      for identity in setting.certificates.compactMap(CertificateIdentity.init) {
        certificates[identity.hash] = partner
      }
      if setting.apiKeySHA256.isEmpty { continue }
      guard let hash = CredentialHash(hex: setting.apiKeySHA256) else {
        throw ConfigurationError("partners.api_key_sha256: 64 lower-case hex digits")
      }
      partners[hash] = partner
    }
    for setting in configuration.staff {
      guard let hash = CredentialHash(hex: setting.tokenSHA256),
        let role = StaffRole(setting: setting.role), let expiry = setting.expireDate
      else { throw ConfigurationError("staff: a hash, role or time that is none") }
      let person = Staff(
        caller: Caller(
          kind: .staff, subject: "staff/\(setting.id)", organization: setting.organization,
          staffRole: role),
        expiresAt: expiry)
      staff[hash] = person
      namedStaff[.staff(setting.id)] = person
    }
  }

  /// Returns the partner with that API key.
  func partner(_ hash: CredentialHash) -> Partner? { partners[hash] }

  /// Returns the partner that a client certificate with that identity authenticates.
  func partner(certificate hash: CredentialHash) -> Partner? { certificates[hash] }

  /// Returns a partner by its account, for credentials other than its key.
  func partner(_ account: NamedAccount) -> Partner? { namedPartners[account] }

  /// Returns a staff member by account, for credentials other than a token of the configuration.
  func staff(_ account: NamedAccount) -> Staff? { namedStaff[account] }

  /// Returns the staff member with that token.
  func staff(_ hash: CredentialHash) -> Staff? { staff[hash] }
}
