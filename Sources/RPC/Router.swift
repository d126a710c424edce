/// The methods of a server by path, and the interceptors around all of them.
public struct Router: Sendable {
  /// The error of two methods with the same path.
  public struct DuplicateMethod: Error, Sendable, Hashable {
    /// The path that both have.
    public let path: String
  }

  /// The interceptors of every call, outermost first.
  public let interceptors: [any ServerInterceptor]
  private var table: PathTable<MethodHandler>
  private let services: Set<String>

  /// Creates a router.
  /// - Throws: `DuplicateMethod` if two methods have the same path.
  public init(services: [any RPCService], interceptors: [any ServerInterceptor] = []) throws {
    self.interceptors = interceptors
    let handlers = services.flatMap(\.methods)
    var seen: Set<String> = []
    for handler in handlers where !seen.insert(handler.descriptor.path).inserted {
      throw DuplicateMethod(path: handler.descriptor.path)
    }
    table = PathTable(handlers.map { ($0.descriptor.path, $0) })
    self.services = Set(handlers.map(\.descriptor.service))
  }

  /// All methods, in the order of the services.
  public var methods: [MethodDescriptor] { table.values.map(\.descriptor) }

  /// Returns this router with its calls recorded by `metrics`.
  func metered(by metrics: ServerMetrics) -> Router {
    var router = self
    router.table = PathTable(
      table.values.map { handler in
        var metered = handler
        metered.meters = metrics.meters(path: handler.descriptor.path)
        return (handler.descriptor.path, metered)
      })
    return router
  }

  func handler(path: RawSpan) -> MethodHandler? { table.value(path: path) }

  /// Returns the error for an unknown path.
  func unknown(path: String) -> RPCError {
    let service = path.dropFirst().prefix { $0 != "/" }
    if services.contains(String(service)) {
      return RPCError(.unimplemented, "the method \(path.prefix(Self.echoMax)) is not known")
    }
    return RPCError(.unimplemented, "the service \(service.prefix(Self.echoMax)) is not known")
  }

  /// The most characters of an unknown name that an error message repeats.
  static let echoMax = 200
}

/// An immutable hash table of values by path, searched without creating a string of the path.
struct PathTable<Value: Sendable>: Sendable {
  private let paths: [[UInt8]]
  let values: [Value]
  /// An open-addressing table of indexes into `values`, or -1. Its size is a power of two and at
  /// least twice the number of values.
  private let slots: [Int32]

  init(_ entries: [(path: String, value: Value)]) {
    paths = entries.map { Array($0.path.utf8) }
    values = entries.map(\.value)
    var size = 8
    while size < entries.count * 2 { size *= 2 }
    var slots = [Int32](repeating: -1, count: size)
    for (index, path) in paths.enumerated() {
      var place = path.withUnsafeBytes { Self.hash($0) } & (size - 1)
      while slots[place] >= 0 { place = (place + 1) & (size - 1) }
      slots[place] = Int32(index)
    }
    self.slots = slots
  }

  func value(path: RawSpan) -> Value? {
    path.withUnsafeBytes { bytes in
      let mask = slots.count - 1
      var place = Self.hash(bytes) & mask
      while slots[place] >= 0 {
        let index = Int(slots[place])
        if paths[index].count == bytes.count, paths[index].elementsEqual(bytes) {
          return values[index]
        }
        place = (place + 1) & mask
      }
      return nil
    }
  }

  /// Returns the FNV-1a hash. The table is fixed and its paths are the server's own, so no peer can
  /// cause many collisions.
  private static func hash(_ path: UnsafeRawBufferPointer) -> Int {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in path { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return Int(truncatingIfNeeded: hash >> 7)
  }
}
