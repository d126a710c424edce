public import GatewayV1
import RPC
import ServiceKit
import Storage
import YijiaTypeV1

/// `yijia.gateway.v1.SessionsService`: what its handlers share. One file a way to sign in.
///
/// Safe to use from any task.
public struct SessionsService: SessionsServiceProtocol {
  let store: GatewayStore
  let codes: MemberCodes

  /// The session of a call.
  ///
  /// - Throws: ``AccountFailure/noSession`` for a token of the configuration.
  func session(_ context: ServerContext) throws -> String {
    guard let name = context.session else { throw AccountFailure.noSession }
    return String(name.drop { $0 != "/" }.dropFirst())
  }

  /// Identifier of the calling account.
  func account(_ context: ServerContext) throws -> String {
    String(try context.caller.subject.drop { $0 != "/" }.dropFirst())
  }

  /// Under which guesses at somebody's secret are counted.
  func guessKey(_ kind: String, _ name: String) -> [UInt8] {
    GuessStore.key(store.hasher, kind, name)
  }
}

/// What the gateway tells its own services of a call, beside who calls. From outside no such field
/// comes in.
enum OwnMetadata {
  /// Resource name of the session.
  static let session = "yijia-session"
  /// Where the call comes from.
  static let source = "yijia-source"
}

extension ServerContext {
  /// Resource name of the session that the caller showed.
  var session: String? { metadata[text: OwnMetadata.session] }

  /// The address that the call comes from, without its port.
  var source: String { metadata[text: OwnMetadata.source] ?? "" }
}

extension Peer {
  /// The address without the port.
  var source: String {
    address.lastIndex(of: ":").map { String(address[..<$0]) } ?? address
  }
}

extension CallerResolver.Proven {
  /// What the gateway tells its own services.
  func facts(of peer: Peer) -> [(name: String, value: String)] {
    [(OwnMetadata.source, peer.source)] + (session.map { [(OwnMetadata.session, $0)] } ?? [])
  }
}
