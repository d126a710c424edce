import ArgumentParser
import Crypto
import Foundation
import GatewayV1
import GoogleProtobuf
import ServiceKit
import SwiftASN1
import X509

struct PartnerCertificates: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "certificates",
    abstract: "Client certificates that prove partners, without a key (mutual TLS).",
    discussion: """
      A certificate comes from an authority of the gateway's configuration \
      (certificate.client_authorities_file) and is known by its fingerprint, or by a name in it, \
      so that it can be renewed.
      """,
    subcommands: [Add.self, List.self, Revoke.self])

  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Let a certificate prove a partner, from the next call on.",
      discussion: """
        Exactly one of --file, --sha256, --uri and --dns says which. Several of a partner may hold \
        at once: add the new one before the old one ends.
        Examples:
          yijia partners certificates add partners/ID --file client.crt
          yijia partners certificates add partners/ID --uri spiffe://partner.example/backend
        """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The partner: partners/ID or ID.") var partner: String
    @Option(help: "The certificate in PEM: its fingerprint is what counts.") var file: String?
    @Option(help: "A fingerprint: SHA-256 of its DER, 64 hex digits, with or without colons.")
    var sha256: String?
    @Option(help: "A URI subject alternative name.") var uri: String?
    @Option(help: "A DNS subject alternative name.") var dns: String?
    @Option(help: "What people call it.") var displayName = ""
    @Option(
      help: "When it counts no more, in RFC 3339. [default: when it ends itself]",
      transform: Arguments.instant)
    var expires: Timestamp?
    @Option(
      help: """
        Path of a method that it is good for, among its partner's; may be repeated. \
        [default: all of them]
        """) var method: [String] = []

    func validate() throws {
      guard [file, sha256, uri, dns].compactMap({ $0 }).count == 1 else {
        throw ValidationError("exactly one of --file, --sha256, --uri and --dns")
      }
    }

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = CreatePartnerCertificateRequest()
        request.requestID = UUID().uuidString
        request.partner = Partners.name(partner)
        var certificate = PartnerCertificate()
        certificate.displayName = displayName
        certificate.identity = try identity()
        certificate.methods = method
        certificate.expireTime = expires
        request.certificate = certificate
        let made = try await client.accounts.createPartnerCertificate(
          request, options: client.options)
        PartnerCertificates.say(made.certificate ?? certificate)
      }
    }

    private func identity() throws -> String {
      if let file { return try Self.fingerprint(of: file) }
      if let sha256 { return "sha256:\(Self.digits(sha256))" }
      return uri.map { "URI:\($0)" } ?? "DNS:\((dns ?? "").lowercased())"
    }

    private static func fingerprint(of file: String) throws -> String {
      guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
        throw ConfigurationError("\(file): cannot be read")
      }
      guard let leaf = try? PEMDocument.parseMultiple(pemString: text).first,
        let certificate = try? Certificate(pemDocument: leaf)
      else { throw ConfigurationError("\(file): holds no certificate in PEM") }
      var serializer = DER.Serializer()
      try serializer.serialize(certificate)
      let hash = SHA256.hash(data: serializer.serializedBytes)
      return "sha256:" + hash.map { String(format: "%02x", $0) }.joined()
    }

    private static func digits(_ text: String) -> String {
      text.lowercased().replacing(":", with: "")
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the certificates of a partner, ended ones too.")

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The partner: partners/ID or ID.") var partner: String

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = ListPartnerCertificatesRequest()
        request.partner = Partners.name(partner)
        request.pageSize = 1_000
        repeat {
          let page = try await client.accounts.listPartnerCertificates(
            request, options: client.options)
          for certificate in page.certificates { PartnerCertificates.say(certificate) }
          request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
      }
    }
  }

  struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Let a certificate prove nobody any more; the streams that run with it end.")

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The certificate: partners/ID/certificates/CERTIFICATE.")
    var certificate: String
    @Option(help: "Why, for the audit log.") var reason: String

    func run() async throws {
      try await connection.with(.staff) { client in
        var request = RevokePartnerCertificateRequest()
        request.requestID = UUID().uuidString
        request.name = certificate
        request.reason = reason
        let done = try await client.accounts.revokePartnerCertificate(
          request, options: client.options)
        PartnerCertificates.say(done.certificate ?? PartnerCertificate())
      }
    }
  }

  private static func say(_ certificate: PartnerCertificate) {
    var text = "\(certificate.name)  \(certificate.identity)  \(certificate.displayName)"
    if let end = certificate.revokeTime { text += "  revoked \(PartnerKeys.text(end))" }
    if let end = certificate.expireTime { text += "  ends \(PartnerKeys.text(end))" }
    Terminal.say(text)
  }
}
