/// A service: a list of methods with their handlers. Generated service protocols refine it.
public protocol RPCService: Sendable {
  /// The methods that the service implements.
  var methods: [MethodHandler] { get }
}
