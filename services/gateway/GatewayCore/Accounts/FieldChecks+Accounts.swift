import Foundation
import GoogleProtobuf
import ServiceKit
import YijiaTypeV1

/// Field validation of accounts.
extension FieldChecks {
  /// Longest reason, in characters.
  private static let reasonMax = 500
  /// Method paths that a partner or key may list.
  static let methodsMax = 200

  /// Validates a reason for the audit log.
  mutating func reason(_ text: String) -> String {
    self.text(text, "reason", length: 1...Self.reasonMax)
  }

  /// Whether a text is a valid user name.
  static func isUserName(_ text: String) -> Bool {
    text.utf8.count <= 64 && text.wholeMatch(of: /[a-z][a-z0-9._-]{2,63}/) != nil
  }

  /// Validates a user name.
  mutating func userName(_ text: String, _ field: String) -> String {
    if !Self.isUserName(text) {
      fail(
        field, text.isEmpty ? "REQUIRED" : "INVALID_USER_NAME",
        zh: "应为 3 至 64 个小写字母、数字、点、下划线或连字符，以字母开头。",
        en: "must be 3 to 64 of a-z, 0-9, '.', '_' and '-', a letter first.")
    }
    return text
  }

  /// Validates that a role is a known one.
  mutating func role(_ role: StaffRole, _ field: String) {
    guard !StaffRole.allCases.contains(role) || role == .unspecified else { return }
    fail(
      field, "REQUIRED", zh: "应为 viewer（查看）、clerk（经办）或 administrator（管理）。",
      en: "must be viewer, clerk or administrator.")
  }

  /// Validates a password that a person chose: by length, not composition (NIST SP 800-63B,
  /// 5.1.1.2).
  mutating func newPassword(_ text: String, _ field: String, not others: [String]) {
    let count = text.unicodeScalars.count
    if !(12...128).contains(count) {
      fail(field, "INVALID_LENGTH", zh: "应为 12 至 128 个字符。", en: "must have 12 to 128 characters.")
    } else if others.contains(text) {
      fail(
        field, "NOT_NEW", zh: "不能与原密码或用户名相同。",
        en: "must be neither the old one nor the user name.")
    }
  }

  /// Validates method paths of the contracts; returns them deduplicated and sorted.
  mutating func methods(_ paths: [String], _ field: String, known: Set<String>) -> [String] {
    if paths.count > Self.methodsMax {
      fail(
        field, "TOO_MANY", zh: "不得超过 \(Self.methodsMax) 个。",
        en: "may have \(Self.methodsMax) at most.")
      return []
    }
    for (index, path) in paths.enumerated() where !known.contains(path) {
      fail(
        "\(field)[\(index)]", "UNKNOWN_METHOD", zh: "没有这个方法，应形如 /包.服务/方法。",
        en: "is not a method; a path looks like /package.Service/Method.")
    }
    return Set(paths).sorted()
  }

  /// Validates an identity of a certificate.
  mutating func certificateIdentity(_ text: String, _ field: String) -> CertificateIdentity? {
    let identity = CertificateIdentity(text)
    if identity == nil {
      fail(
        field, text.isEmpty ? "REQUIRED" : "INVALID_IDENTITY",
        zh: "应为 sha256: 加 64 位十六进制指纹，或 URI:…、DNS:…。",
        en: "must be sha256: and a fingerprint of 64 hex digits, or URI:… or DNS:….")
    }
    return identity
  }

  /// Parses the identifiers of `partners/{partner}/COLLECTION/{part}`.
  mutating func partOfPartner(
    _ name: String, of collection: String
  ) -> (partner: String, part: String)? {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0] == "partners", parts[2] == collection,
      IDSource.isIdentifier(parts[1]), IDSource.isIdentifier(parts[3])
    else {
      fail(
        "name", name.isEmpty ? "REQUIRED" : "INVALID_NAME",
        zh: "应为 partners/{合作平台编号}/\(collection)/{编号}。",
        en: "must be partners/{partner}/\(collection)/{id}.")
      return nil
    }
    return (String(parts[1]), String(parts[3]))
  }

  /// Validates an expiry in the future; returns microseconds since 1970, or nil where none is set.
  mutating func end(_ time: Timestamp?, _ field: String, after now: Int64) -> Int64? {
    guard let time else { return nil }
    guard let end = time.microseconds, end > now else {
      fail(field, "NOT_IN_FUTURE", zh: "应为将来的时间。", en: "must be in the future.")
      return nil
    }
    return end
  }
}
