import RPC
import ServiceKit

/// The credential that a request carries.
enum Credential: Sendable, Hashable {
  /// `x-api-key`: the key of a partner or a kiosk.
  case apiKey([UInt8])
  /// `authorization: Bearer`: a staff token, a session token or a signed token (JWT).
  case bearer([UInt8])

  private static let scheme = Array("bearer ".utf8)

  /// Reads the credential of a request; nil where there is none.
  ///
  /// - Throws: ``CommonFailure/callerUnproven`` where it is malformed,
  ///   ``GatewayFailure/credentialsAmbiguous`` where there are several.
  init?(_ head: RequestHead) throws {
    var found: [Credential] = []
    let fields = head.fields
    for index in 0..<fields.count {
      if fields.hasName("x-api-key", at: index) {
        found.append(.apiKey(fields.valueBytes(at: index)))
      } else if fields.hasName("authorization", at: index) {
        found.append(try Self.bearer(of: fields.valueBytes(at: index)))
      }
    }
    guard let first = found.first else { return nil }
    guard found.count == 1 else { throw GatewayFailure.credentialsAmbiguous }
    self = first
  }

  /// Returns the token. The scheme is case-insensitive (RFC 9110, 11.1); other schemes are refused.
  private static func bearer(of value: [UInt8]) throws -> Credential {
    guard value.count > scheme.count,
      zip(value, scheme).allSatisfy({ $0 | 0x20 == $1 })
    else { throw CommonFailure.callerUnproven }
    return .bearer(Array(value[scheme.count...].drop { $0 == UInt8(ascii: " ") }))
  }
}
