import Foundation
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

  /// Counts a guess at the password of staff before it is looked at.
  ///
  /// - Returns: Under which it is counted, to be forgotten where it was right.
  /// - Throws: ``AccountFailure/signInDelayed(_:)``, which counts where the call comes from: who
  ///   goes on asking would have all others wait.
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

  /// Where the call comes from, see ``RPC/Peer/source``.
  var source: String { metadata[text: OwnMetadata.source] ?? "" }
}

extension Peer {
  /// Whose it is taken for where things are counted by address: the address without the port, of
  /// IPv6 the network of 64 bits, since whoever has one address of it has them all.
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
  /// What the gateway tells its own services.
  func facts(of peer: Peer) -> [(name: String, value: String)] {
    [(OwnMetadata.source, peer.source)] + (session.map { [(OwnMetadata.session, $0)] } ?? [])
  }
}
