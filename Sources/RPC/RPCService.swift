/// What a server serves: a list of methods. Generated service protocols refine it.
public protocol RPCService: Sendable {
  var methods: [MethodHandler] { get }
}
