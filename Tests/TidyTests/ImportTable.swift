/// The import rules of ARCHITECTURE as data. A folder without a row fails, so a new target is
/// placed in the stack before it is used.
struct ImportTable: Sendable {
  struct Row: Sendable {
    let folder: String
    let modules: Set<String>
  }

  /// Modules of the language and its standard distribution, which are allowed everywhere.
  static let standard: Set = [
    "Dispatch", "Foundation", "FoundationEssentials", "Glibc", "Musl", "RegexBuilder", "Swift",
    "Synchronization",
  ]
  /// swift-log and similar modules: values and protocols only, no I/O of their own.
  private static let observation: Set = [
    "Instrumentation", "Logging", "Metrics", "ServiceContextModule", "Tracing",
  ]
  private static let collections: Set = ["Collections", "DequeModule", "OrderedCollections"]
  private static let crypto: Set = ["Crypto", "CryptoExtras", "_CryptoExtras"]
  private static let nio: Set = [
    "NIO", "NIOConcurrencyHelpers", "NIOCore", "NIOEmbedded", "NIOHTTP1", "NIOPosix", "NIOSSL",
    "NIOTLS",
  ]

  /// The gateway calls itself for its other protocols; JSON follows contracts known at run time. It
  /// alone verifies tokens signed by others.
  private static let gateway: Set = ["JWTKit", "ProtobufJSON", "RPCInProcess"]

  /// Targets over one C library each, which depend on nothing but the layer below; and what mains
  /// share.
  private static let libraries = [
    Row(
      folder: "Sources/ServiceMain",
      modules: ["Logging", "RPC", "RPCTransport", "ServiceKit", "Storage", "StorageEngines"]),
    Row(folder: "Sources/HTTP2", modules: collections.union(["CNghttp2"])),
    Row(folder: "Sources/Compression", modules: ["CZlib"]),
    Row(folder: "Sources/QRCode", modules: ["CQRencode", "Compression"]),
  ]

  let rows: [Row]

  init(_ repository: Repository) {
    let messages = Set(repository.subfolders(of: "Sources/Messages"))
    let contract = messages.union(["RPC", "Protobuf"])
    var rows = Self.libraries
    rows += [
      Row(folder: "Sources/Protobuf", modules: ["CProtobufC", "RPC"]),
      Row(folder: "Sources/ProtobufJSON", modules: ["Protobuf", "GoogleProtobuf"]),
      Row(folder: "Sources/Messages", modules: contract.union(["CMessages"])),
      Row(folder: "Sources/protoc-gen-yijia", modules: contract.subtracting(["RPC"])),
      Row(
        folder: "Sources/RPC",
        modules: Self.observation.union(Self.collections).union(["Compression"])),
      Row(folder: "Sources/RPCInProcess", modules: ["RPC"]),
      Row(
        folder: "Sources/RPCTransport",
        modules: Self.nio.union(Self.observation).union(Self.collections)
          .union(["RPC", "HTTP2"])),
      Row(
        folder: "Sources/Storage",
        modules: Self.observation.union(Self.crypto).union(Self.collections)),
      Row(
        folder: "Sources/StorageSQLite",
        modules: Self.observation.union(["Storage", "CSQLite", "GRDB", "GRDBSQLite"])),
      Row(
        folder: "Sources/StoragePostgres",
        modules: Self.observation.union(Self.collections).union(["Storage", "CPostgres"])),
      Row(
        folder: "Sources/StorageEngines",
        modules: ["Storage", "StorageSQLite", "StoragePostgres"]),
      Row(folder: "Sources/storage-bench", modules: ["Storage", "StorageEngines"]),
      Row(
        folder: "Sources/ServiceKit",
        modules: contract.union(Self.observation).union(Self.crypto).union(["Storage", "Yams"])),
      Row(
        folder: "services/yijia/main",
        modules: contract.union(Self.observation).union(Self.crypto).union([
          "ArgumentParser", "ProtobufJSON", "QRCode", "RPCTransport", "ServiceKit", "Storage",
          "StorageEngines", "SwiftASN1", "UnixSignals", "X509",
        ])),
    ]
    rows.append(
      Row(
        folder: "services/members/data",
        modules: [
          "ArgumentParser", "MembersCore", "MembersV1", "Protobuf", "RPC", "RPCTransport",
          "ServiceKit", "Storage", "StorageEngines",
        ]))
    for server in [
      "rpc-interop-server", "rpc-interop-client", "rpc-bench-server", "rpc-bench-client",
    ] {
      rows.append(
        Row(
          folder: "Sources/\(server)",
          modules: contract.union(Self.observation).union([
            "ArgumentParser", "RPCTransport", "ServiceKit",
          ])))
    }
    for (service, core) in Self.cores(repository) {
      let library = contract.union(Self.observation).union(Self.crypto)
        .union(["QRCode", "Storage", "ServiceKit"]).union(service == "gateway" ? Self.gateway : [])
      rows.append(Row(folder: "services/\(service)/\(core)", modules: library))
      rows.append(
        Row(
          folder: "services/\(service)/main",
          modules: library.union([
            core, "ArgumentParser", "RPCTransport", "ServiceMain", "StorageEngines", "UnixSignals",
          ])))
    }
    self.rows = rows
  }

  func row(of path: String) -> Row? { rows.first { path.hasPrefix($0.folder + "/") } }

  /// Returns each service with the name of its library.
  static func cores(_ repository: Repository) -> [(service: String, core: String)] {
    repository.subfolders(of: "services").flatMap { service in
      repository.subfolders(of: "services/\(service)").filter { $0.hasSuffix("Core") }
        .map { (service, $0) }
    }
  }

  /// Returns the modules that are C libraries: a module map under Sources.
  static func cLibraries(_ repository: Repository) -> [String] {
    repository.subfolders(of: "Sources").filter {
      repository.file("Sources/\($0)/module.modulemap") != nil
    }
  }
}
