import Foundation
public import GatewayV1
import RPC
import ServiceKit
import Storage
import YijiaTypeV1

/// `yijia.gateway.v1.SessionsService`: the state that its handlers share. One file per kind of
/// sign-in.
///
/// Safe to use from any task.
public struct SessionsService: SessionsServiceProtocol {
  let store: GatewayStore
  let codes: MemberCodes

  /// Returns the identifier of the calling session.
  ///
  /// - Throws: ``AccountFailure/noSession`` where another credential authenticated the caller.
  func session(_ context: ServerContext) throws -> String {
    guard let name = context.session else { throw AccountFailure.noSession }
    return String(name.drop { $0 != "/" }.dropFirst())
  }

  /// Returns the identifier of the calling account.
  func account(_ context: ServerContext) throws -> String {
    String(try context.caller.subject.drop { $0 != "/" }.dropFirst())
  }

  /// Counts a guess at a staff password before it is checked.
  ///
  /// - Returns: The keys of the counters, which are deleted if the guess was correct.
  /// - Throws: ``AccountFailure/signInDelayed(_:)``; this also counts against the source address,
  ///   as an attacker who keeps trying would keep the account's owner waiting.
  func countGuess(
    of userName: String, _ context: ServerContext, at now: Foundation.Date
  ) async throws -> GuessKeys {
    let source = context.source
    let keys = GuessKeys(store.hasher, "staff", userName, from: source)
    do {
      try await store.database.write { GuessStore.count(keys, at: now) }
    } catch let error as AccountFailure {
      store.sources.failed(source, at: now)
      throw error
    }
    return keys
  }
}

/// Metadata that the gateway adds to calls of its own services. Such fields of external callers are
/// dropped.
enum OwnMetadata {
  /// Resource name of the calling session.
  static let session = "yijia-session"
  /// Source address of the call.
  static let source = "yijia-source"
}

extension ServerContext {
  /// Resource name of the session that authenticated the caller; nil for other credentials.
  var session: String? { metadata[text: OwnMetadata.session] }

  /// Source address of the call, see ``RPC/Peer/source``.
  var source: String { metadata[text: OwnMetadata.source] ?? "" }
}

extension Peer {
  /// The address by which a client is throttled: without the port, and for IPv6 the /64 network,
  /// since its owner controls all addresses in it.
  var source: String {
    guard let colon = address.lastIndex(of: ":") else { return address }
    let host = address[..<colon].filter { !"[]".contains($0) }
    guard host.contains(":") else { return host }
    var bytes = [UInt8](repeating: 0, count: 16)
    guard inet_pton(AF_INET6, host, &bytes) == 1 else { return host }
    let mapped = [UInt8](repeating: 0, count: 10) + [0xff, 0xff]
    if bytes.starts(with: mapped) { return bytes[12...].map(String.init).joined(separator: ".") }
    return bytes[..<8].map { String($0, radix: 16) }.joined(separator: ":") + "/64"
  }
}

extension CallerResolver.Proven {
  /// The metadata for the gateway's own services.
  func facts(of peer: Peer) -> [(name: String, value: String)] {
    [(OwnMetadata.source, peer.source)] + (session.map { [(OwnMetadata.session, $0)] } ?? [])
  }
}
