import Foundation
public import Logging
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
  /// By the hash of what is known of their certificates.
  private var certificates: [CredentialHash: Partner] = [:]
  private var namedPartners: [NamedAccount: Partner] = [:]
  private var namedStaff: [NamedAccount: Staff] = [:]
  /// Whose signed tokens count.
  let issuers: TokenIssuers

  /// - Parameters:
  ///   - configuration: One that ``GatewayConfiguration/validate()`` passed.
  ///   - logger: Told of files that can be used no more.
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

  /// The partner with that key.
  func partner(_ hash: CredentialHash) -> Partner? { partners[hash] }

  /// The partner that a certificate of that identity names.
  func partner(certificate hash: CredentialHash) -> Partner? { certificates[hash] }

  /// The partner whom something else than a key names.
  func partner(_ account: NamedAccount) -> Partner? { namedPartners[account] }

  /// The member of staff whom something else than a token of the configuration names.
  func staff(_ account: NamedAccount) -> Staff? { namedStaff[account] }

  /// The member of staff with that token.
  func staff(_ hash: CredentialHash) -> Staff? { staff[hash] }
}
