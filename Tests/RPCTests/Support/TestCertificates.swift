import Crypto
import Foundation
import RPCTransport
import SwiftASN1
import X509

/// A certificate authority and two workloads, created for one test in files that are deleted with
/// it.
final class TestCertificates: Sendable {
  private let folder: URL
  let server: ServerTLS
  /// Certified for `localhost` only, not for the address.
  let namedServer: ServerTLS
  /// Certified until yesterday.
  let expiredServer: ServerTLS
  let mutualServer: ServerTLS
  let client: ClientTLS
  let mutualClient: ClientTLS

  static let serverURI = "spiffe://yijia/echo"
  static let clientURI = "spiffe://yijia/caller"

  init() throws {
    folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("rpc-tests-\(UInt64.random(in: 0...UInt64.max))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let authority = try Authority()
    let authorities = try Self.write(
      authority.certificate.serializeAsPEM().pemString, folder, "ca.pem")
    let serverFiles = try authority.issue("server", uri: Self.serverURI, into: folder)
    let clientFiles = try authority.issue("client", uri: Self.clientURI, into: folder)
    server = ServerTLS(identity: serverFiles)
    namedServer = ServerTLS(
      identity: try authority.issue(
        "named", uri: Self.serverURI, hasAddress: false, into: folder))
    expiredServer = ServerTLS(
      identity: try authority.issue(
        "expired", uri: Self.serverURI, end: -86_400, into: folder))
    mutualServer = ServerTLS(
      identity: serverFiles, clients: .required(authorities: authorities))
    client = ClientTLS(authorities: authorities)
    mutualClient = ClientTLS(
      authorities: authorities, identity: clientFiles, serverName: .uri(Self.serverURI))
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  static func write(_ text: String, _ folder: URL, _ name: String) throws -> String {
    let file = folder.appendingPathComponent(name)
    try text.write(to: file, atomically: true, encoding: .utf8)
    return file.path
  }

  struct Authority {
    let key: Certificate.PrivateKey
    let certificate: Certificate
    let name: DistinguishedName

    init() throws {
      key = Certificate.PrivateKey(P256.Signing.PrivateKey())
      name = try DistinguishedName { CommonName("test authority") }
      certificate = try Certificate(
        version: .v3, serialNumber: .init(), publicKey: key.publicKey,
        notValidBefore: .now.addingTimeInterval(-60), notValidAfter: .now.addingTimeInterval(3600),
        issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
        extensions: try Certificate.Extensions {
          Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
          Critical(KeyUsage(keyCertSign: true))
        },
        issuerPrivateKey: key)
    }

    /// - Parameter end: The end of the certificate's validity, in seconds from now.
    func issue(
      _ subject: String, uri: String, hasAddress: Bool = true, end: Double = 3600, into folder: URL
    ) throws -> TLSFiles {
      var names: [GeneralName] = [.dnsName("localhost"), .uniformResourceIdentifier(uri)]
      if hasAddress {
        names.append(.ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])))
      }
      let leafKey = P256.Signing.PrivateKey()
      let leaf = try Certificate(
        version: .v3, serialNumber: .init(),
        publicKey: Certificate.PrivateKey(leafKey).publicKey,
        notValidBefore: .now.addingTimeInterval(end - 3660),
        notValidAfter: .now.addingTimeInterval(end),
        issuer: name, subject: try DistinguishedName { CommonName(subject) },
        signatureAlgorithm: .ecdsaWithSHA256,
        extensions: try Certificate.Extensions {
          Critical(BasicConstraints.notCertificateAuthority)
          SubjectAlternativeNames(names)
        },
        issuerPrivateKey: key)
      return TLSFiles(
        certificateChain: try TestCertificates.write(
          leaf.serializeAsPEM().pemString, folder, "\(subject).pem"),
        privateKey: try TestCertificates.write(
          leafKey.pemRepresentation, folder, "\(subject).key"))
    }
  }
}
