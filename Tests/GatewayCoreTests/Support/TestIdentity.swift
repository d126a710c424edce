import Crypto
import Foundation
import RPCTransport
import SwiftASN1
import X509

/// A self-signed certificate, in files that are deleted with it.
final class TestIdentity: Sendable {
  private let folder: URL
  let server: ServerTLS

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "edge-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let key = P256.Signing.PrivateKey()
    let name = try DistinguishedName { CommonName("edge") }
    let now = Date.now
    let certificate = try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(),
      publicKey: Certificate.PrivateKey(key).publicKey, notValidBefore: now - 86_400,
      notValidAfter: now + 86_400, issuer: name, subject: name,
      signatureAlgorithm: .ecdsaWithSHA256, extensions: Certificate.Extensions(),
      issuerPrivateKey: Certificate.PrivateKey(key))
    let (chain, secret) = (folder.appending(path: "edge.crt"), folder.appending(path: "edge.key"))
    try Data(certificate.serializeAsPEM().pemString.utf8).write(to: chain)
    try Data(key.pemRepresentation.utf8).write(to: secret)
    server = ServerTLS(
      identity: TLSFiles(certificateChain: chain.path, privateKey: secret.path))
  }

  deinit { try? FileManager.default.removeItem(at: folder) }
}
