import NIOCore
import NIOSSL
import RPC

extension PeerCertificate {
  /// Creates the certificate that the peer of a TLS connection presented; nil without one. Call it
  /// after the handshake, on the channel's loop.
  convenience init?(of context: ChannelHandlerContext) {
    let tls = try? context.pipeline.syncOperations.handler(type: NIOSSLHandler.self)
    guard let certificate = tls?.peerCertificate, let der = try? certificate.toDERBytes() else {
      return nil
    }
    let names = certificate._subjectAlternativeNames()
    self.init(
      der: der,
      uris: names.filter { $0.nameType == .uri }.map {
        String(decoding: $0.contents, as: UTF8.self)
      },
      dnsNames: names.filter { $0.nameType == .dnsName }.map {
        String(decoding: $0.contents, as: UTF8.self)
      },
      expiresAt: Int64(certificate.notValidAfter) * 1_000_000)
  }
}
