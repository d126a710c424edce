import Crypto
import Foundation
import ServiceKit
import SwiftASN1
import X509

/// A certificate authority for development: creates what is missing in a folder and keeps what
/// exists. Its private key stays in that folder, so nothing outside of this machine trusts its
/// certificates.
struct DevelopmentAuthority {
  private static let lifetime: TimeInterval = 365 * 86_400
  /// A certificate that expires within this time is renewed at start.
  private static let renewBefore: TimeInterval = 30 * 86_400

  private let folder: URL
  private let key: P256.Signing.PrivateKey
  private let certificate: Certificate

  /// Opens the authority in `folder`; creates one where there is none.
  init(folder: URL) throws {
    self.folder = folder
    let keyFile = folder.appending(path: "authority.key")
    let certificateFile = folder.appending(path: "authority.crt")
    if let text = try? String(contentsOf: keyFile, encoding: .utf8),
      let key = try? P256.Signing.PrivateKey(pemRepresentation: text),
      let certificate = Self.current(at: certificateFile)
    {
      self.key = key
      self.certificate = certificate
      return
    }
    key = P256.Signing.PrivateKey()
    let name = try DistinguishedName { CommonName("Yijia development authority") }
    certificate = try Self.sign(
      subject: name, publicKey: key.publicKey, issuer: name, issuerKey: key,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
        Critical(KeyUsage(keyCertSign: true, cRLSign: true))
      })
    try SecretFile.write(key.pemRepresentation + "\n", to: keyFile)
    try PublicFile.write(certificate.serializeAsPEM().pemString + "\n", to: certificateFile)
    // Certificates of the previous authority are not valid any more.
    let manager = FileManager.default
    for file in try manager.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    where file.pathExtension == "crt" && file != certificateFile {
      try manager.removeItem(at: file)
    }
  }

  /// Creates `NAME.key` and `NAME.crt` where they are missing or expire soon: a certificate for the
  /// workload identity `spiffe://yijia/NAME` and for the host names of the service.
  func issue(_ name: String, hosts: [String] = ["localhost"]) throws {
    let certificateFile = folder.appending(path: "\(name).crt")
    let keyFile = folder.appending(path: "\(name).key")
    if Self.current(at: certificateFile) != nil,
      FileManager.default.fileExists(atPath: keyFile.path)
    {
      return
    }
    let key = P256.Signing.PrivateKey()
    let names: [GeneralName] =
      [.uniformResourceIdentifier("spiffe://yijia/\(name)")] + hosts.map { .dnsName($0) }
      + [.ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1]))]
    let leaf = try Self.sign(
      subject: DistinguishedName { CommonName("yijia-\(name)") }, publicKey: key.publicKey,
      issuer: certificate.subject, issuerKey: self.key,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.notCertificateAuthority)
        Critical(KeyUsage(digitalSignature: true))
        try ExtendedKeyUsage([.serverAuth, .clientAuth])
        SubjectAlternativeNames(names)
      })
    try SecretFile.write(key.pemRepresentation + "\n", to: keyFile)
    try PublicFile.write(leaf.serializeAsPEM().pemString + "\n", to: certificateFile)
  }

  private static func current(at file: URL) -> Certificate? {
    guard let text = try? String(contentsOf: file, encoding: .utf8),
      let certificate = try? Certificate(pemEncoded: text),
      certificate.notValidAfter > Date().addingTimeInterval(renewBefore)
    else { return nil }
    return certificate
  }

  private static func sign(
    subject: DistinguishedName, publicKey: P256.Signing.PublicKey, issuer: DistinguishedName,
    issuerKey: P256.Signing.PrivateKey, extensions: Certificate.Extensions
  ) throws -> Certificate {
    let now = Date()
    return try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(),
      publicKey: Certificate.PublicKey(publicKey),
      // Tolerates clocks that differ a little.
      notValidBefore: now.addingTimeInterval(-300), notValidAfter: now.addingTimeInterval(lifetime),
      issuer: issuer, subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
      extensions: extensions, issuerPrivateKey: Certificate.PrivateKey(issuerKey))
  }
}

/// Writes files that only their owner may read.
enum SecretFile {
  static func write(_ text: String, to file: URL) throws {
    try write(Data(text.utf8), to: file)
  }

  /// Replaces a file whole, or not at all; what is there and is not a file, a folder for example,
  /// stays. What a link leads to is replaced, not the link.
  static func write(_ data: Data, to file: URL) throws {
    let path = file.resolvingSymlinksInPath().path
    let draft = "\(path).\(IDSource.system.next().prefix(8)).draft"
    defer { unlink(draft) }
    try Arguments.requireWritable(file.path)
    let mode: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
    guard FileManager.default.createFile(atPath: draft, contents: data, attributes: mode),
      rename(draft, path) == 0
    else {
      throw ConfigurationError(zh: "\(file.path)：无法写入", en: "\(file.path): cannot be written")
    }
  }
}

enum PublicFile {
  static func write(_ text: String, to file: URL) throws {
    try Data(text.utf8).write(to: file, options: .atomic)
  }
}
