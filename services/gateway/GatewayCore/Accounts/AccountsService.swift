public import GatewayV1
import RPC
import ServiceKit
import Storage

/// `yijia.gateway.v1.AccountsService`: the state that its handlers share. One file per noun.
///
/// Safe to use from any task.
public struct AccountsService: AccountsServiceProtocol {
  let store: GatewayStore
  /// The limits of partners: the defaults and those of the partners listed in it.
  let configuration: GatewayConfiguration
  /// Method paths that partners and keys may be restricted to.
  let methodPaths: Set<String>

  /// - Parameters:
  ///   - configuration: The current configuration.
  ///   - contracts: The contracts of the services behind the gateway, and its own.
  public init(
    store: GatewayStore, configuration: GatewayConfiguration = GatewayConfiguration(),
    contracts: [Contract] = Contract.all
  ) {
    self.store = store
    self.configuration = configuration
    methodPaths = Set(contracts.flatMap { $0.methods.map(\.path) })
  }

  /// Returns the caller if its scope is the whole tree; accounts belong to no subtree.
  ///
  /// - Throws: ``CommonFailure/outOfScope``.
  func administrator(_ context: ServerContext) throws -> Caller {
    let caller = try context.caller
    guard caller.organization.isEmpty else { throw CommonFailure.outOfScope }
    return caller
  }
}
