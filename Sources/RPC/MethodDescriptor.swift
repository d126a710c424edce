/// Which sides of a call are streams.
public enum MethodKind: Sendable, Hashable {
  /// One request and one response.
  case unary
  /// A stream of requests and one response.
  case clientStreaming
  /// One request and a stream of responses.
  case serverStreaming
  /// Streams in both directions.
  case bidirectionalStreaming

  /// Whether a call that is OK has one response, neither more nor none.
  var hasOneResponse: Bool { self == .unary || self == .clientStreaming }
}

/// Identifies a method, and which sides of it are streams.
public struct MethodDescriptor: Sendable, Hashable {
  /// Shared, because descriptors are copied with every call.
  private final class Storage: Sendable {
    let service: String
    let name: String
    let path: String
    /// The request head of a call without metadata and options.
    let head: RequestHead

    init(service: String, name: String) {
      self.service = service
      self.name = name
      path = "/\(service)/\(name)"
      head = RequestHead(path: path)
    }
  }

  private let storage: Storage
  /// Which sides are streams.
  public let kind: MethodKind

  /// Creates the descriptor of a method. Make it once and keep it: calls share what it holds.
  /// - Parameters:
  ///   - service: The full name of the service, `yijia.members.v1.MembersService`.
  ///   - name: The name of the method within it, `GetMember`.
  public init(service: String, name: String, kind: MethodKind) {
    storage = Storage(service: service, name: name)
    self.kind = kind
  }

  /// The full name of its service: `yijia.members.v1.MembersService`.
  public var service: String { storage.service }
  /// The name of the method within its service: `GetMember`.
  public var name: String { storage.name }
  /// `/service/name`, as in the `:path` of a request.
  public var path: String { storage.path }

  var head: RequestHead { storage.head }

  /// Returns whether both have the same path and kind.
  public static func == (a: MethodDescriptor, b: MethodDescriptor) -> Bool {
    a.kind == b.kind && (a.storage === b.storage || a.path == b.path)
  }

  /// Hashes the path.
  public func hash(into hasher: inout Hasher) { hasher.combine(path) }
}

extension MethodDescriptor: CustomStringConvertible {
  /// The path.
  public var description: String { path }
}
