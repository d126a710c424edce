public import GatewayV1
import RPC
import ServiceKit
import Storage

/// `yijia.gateway.v1.AccountsService`: what its handlers share. One file a noun's changes.
///
/// Safe to use from any task.
public struct AccountsService: AccountsServiceProtocol {
  let store: GatewayStore
  /// Says the limits of partners, by default and of those that it lists.
  let configuration: GatewayConfiguration
  /// Paths that partners and keys can be limited to.
  let methodPaths: Set<String>

  /// - Parameters:
  ///   - configuration: The one that is served.
  ///   - contracts: The services behind the gateway, itself among them.
  public init(
    store: GatewayStore, configuration: GatewayConfiguration = GatewayConfiguration(),
    contracts: [Contract] = Contract.all
  ) {
    self.store = store
    self.configuration = configuration
    methodPaths = Set(contracts.flatMap { $0.methods.map(\.path) })
  }

  /// Accounts are nobody's who acts within a subtree only.
  ///
  /// - Throws: ``CommonFailure/outOfScope``.
  func administrator(_ context: ServerContext) throws -> Caller {
    let caller = try context.caller
    guard caller.organization.isEmpty else { throw CommonFailure.outOfScope }
    return caller
  }
}
