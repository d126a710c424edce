// swift-tools-version: 6.2
// The dependency graph below is the architecture: read it bottom to top.
import Foundation
import PackageDescription

/// Warnings are errors in CI, not on a newcomer's compiler.
let strict = ProcessInfo.processInfo.environment["YIJIA_STRICT"] == "1"

let house: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ] + (strict ? [.treatAllWarnings(as: .error)] : [])

/// For the few targets that touch C memory.
let guarded = house + [.strictMemorySafety()]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let tracing: Target.Dependency = .product(
  name: "Tracing", package: "swift-distributed-tracing")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let jwt: Target.Dependency = .product(name: "JWTKit", package: "jwt-kit")
let asn1: Target.Dependency = .product(name: "SwiftASN1", package: "swift-asn1")
let x509: Target.Dependency = .product(name: "X509", package: "swift-certificates")
let arguments: Target.Dependency = .product(
  name: "ArgumentParser", package: "swift-argument-parser")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let collections: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let unixSignals: Target.Dependency = .product(
  name: "UnixSignals", package: "swift-service-lifecycle")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

/// One module a proto package: generated Swift over generated C.
func messages(_ name: String, _ needs: [Target.Dependency] = []) -> Target {
  .target(
    name: name, dependencies: ["CMessages", "Protobuf", "RPC"] + needs,
    path: "Sources/Messages/\(name)", swiftSettings: house)
}

/// A service is a library, which a test can hold, and a `main` that wires it.
func service(_ name: String, core: String, _ needs: [Target.Dependency]) -> [Target] {
  let library: [Target.Dependency] =
    [
      "RPC", "Storage", "ServiceKit", "Protobuf", "GoogleProtobuf", "GoogleType", "GRPCHealthV1",
      "YijiaTypeV1", crypto, logging,
    ] + needs
  return [
    .target(
      name: core, dependencies: library,
      path: "services/\(name)/\(core)", swiftSettings: house),
    .executableTarget(
      name: "yijia-\(name)",
      dependencies: [
        .target(name: core), "RPCTransport", "ServiceMain", arguments, unixSignals,
      ] + library,
      path: "services/\(name)/main", swiftSettings: house),
    .testTarget(
      name: "\(core)Tests",
      dependencies: [.target(name: core), "RPCInProcess", "TestStores", "TestWaiting"] + library,
      path: "Tests/\(core)Tests", swiftSettings: house),
  ]
}

/// scripts/sanitize.sh builds the runtime and its tests only, which is half of the time.
let isRuntimeOnly = ProcessInfo.processInfo.environment["YIJIA_RUNTIME"] == "1"

/// The product: executables over the runtime.
let services: [Target] =
  service("members", core: "MembersCore", ["MembersV1", "QRCode"])
  + [
    // Invented members, for figures at scale.
    .executableTarget(
      name: "members-data",
      dependencies: [
        "MembersCore", "MembersV1", "Protobuf", "RPC", "RPCTransport", "ServiceKit", "Storage",
        "StorageEngines", arguments,
      ],
      path: "services/members/data", swiftSettings: house)
  ]
  + service("stations", core: "StationsCore", ["StationsV1", "MembersV1"])
  + [
    .target(
      name: "GatewayCore",
      dependencies: [
        "RPC", "RPCInProcess", "ServiceKit", "Storage", "Protobuf", "ProtobufJSON", "QRCode",
        "YijiaTypeV1", "MembersV1", "StationsV1", "GatewayV1", "GoogleAPI", "GoogleProtobuf",
        "GoogleRPC",
        "GoogleType", "GRPCHealthV1", crypto, cryptoExtras, jwt, logging, metrics, tracing,
      ],
      path: "services/gateway/GatewayCore",
      // Compiled in, so that the executable is all there is to install.
      resources: [.embedInCode("Pages/web")], swiftSettings: house),
    .executableTarget(
      name: "yijia-gateway",
      dependencies: [
        "GatewayCore", "ServiceKit", "ServiceMain", "RPC", "RPCTransport", "Storage",
        "GRPCHealthV1", logging, arguments, unixSignals,
      ],
      path: "services/gateway/main", swiftSettings: house),
    .testTarget(
      name: "GatewayCoreTests",
      dependencies: [
        "GatewayCore", "RPC", "RPCInProcess", "RPCTransport", "ServiceKit", "Storage", "TestStores",
        "TestWaiting", "Protobuf", "ProtobufJSON", "YijiaTypeV1", "MembersV1", "StationsV1",
        "GatewayV1", "GoogleAPI", "GoogleProtobuf", "GoogleRPC", "GoogleType", "GRPCHealthV1",
        "GRPCTesting", "FuzzCore", "FuzzGateway", nioCore, nioPosix, nioSSL, x509, asn1, crypto,
        logging,
      ],
      path: "Tests/GatewayCoreTests", swiftSettings: house),
    // The edge's fuzz targets; GatewayCoreTests runs their inputs.
    .target(
      name: "FuzzGateway",
      dependencies: [
        "FuzzCore", "GatewayCore", "ProtobufJSON", "RPC", "RPCTransport", nioCore, nioHTTP1,
        nioEmbedded,
      ],
      path: "Tests/Fuzz/Gateway", swiftSettings: house),
    .executableTarget(
      name: "yijia",
      dependencies: [
        "RPC", "RPCTransport", "Protobuf", "ProtobufJSON", "ServiceKit", "MembersV1", "StationsV1",
        "GatewayV1", "YijiaTypeV1", "GoogleRPC", "GoogleType", "GoogleProtobuf", "Storage",
        "StorageEngines", "QRCode",
        "GRPCHealthV1", "OperationsV1", x509, crypto, arguments, unixSignals,
      ],
      path: "services/yijia/main", swiftSettings: house),
  ]

/// libFuzzer brings its own `main`, so its programs are built only by scripts/fuzz.sh. Two of them:
/// it looks at every counter of its program after each input, so less code is faster.
let fuzzers: [Target] =
  ProcessInfo.processInfo.environment["YIJIA_FUZZ"] == "1"
  ? ["Runtime", "Services", "Gateway"].map { part in
    .executableTarget(
      name: "fuzz-\(part.lowercased())", dependencies: ["FuzzCore", .target(name: "Fuzz\(part)")],
      path: "Tests/Fuzz/\(part)Driver", swiftSettings: house)
  } : []

let package = Package(
  name: "yijia",
  products: [
    .executable(name: "protoc-gen-yijia", targets: ["protoc-gen-yijia"]),
    .executable(name: "rpc-interop-server", targets: ["rpc-interop-server"]),
    .executable(name: "rpc-interop-client", targets: ["rpc-interop-client"]),
    .executable(name: "rpc-bench-server", targets: ["rpc-bench-server"]),
    .executable(name: "rpc-bench-client", targets: ["rpc-bench-client"]),
    .executable(name: "storage-bench", targets: ["storage-bench"]),
    .executable(name: "yijia-gateway", targets: ["yijia-gateway"]),
    .executable(name: "yijia-members", targets: ["yijia-members"]),
    .executable(name: "members-data", targets: ["members-data"]),
    .executable(name: "yijia-stations", targets: ["yijia-stations"]),
    .executable(name: "yijia", targets: ["yijia"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
    .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
  ],
  targets: [
    // C libraries: a module map and a shim header each.
    .systemLibrary(
      name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
    .systemLibrary(
      name: "CProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),
    // libpq is loaded when a store needs it.
    .target(name: "CPostgres"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(
      name: "CQRencode", pkgConfig: "libqrencode", providers: [.apt(["libqrencode-dev"])]),
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),

    // Encoding.
    .target(name: "CMessages", dependencies: ["CProtobufC"]),
    .target(name: "Protobuf", dependencies: ["CProtobufC", "RPC"], swiftSettings: guarded),
    messages("GoogleProtobuf"),
    messages("GoogleAPI", ["GoogleProtobuf"]),
    messages("GoogleRPC", ["GoogleProtobuf"]),
    messages("GoogleType"),
    messages("GRPCHealthV1"),
    messages("GRPCReflectionV1"),
    messages("GRPCReflectionV1alpha"),
    messages("GRPCTesting"),
    messages("GreeterV1"),
    messages("BenchV1"),
    messages("OperationsV1", ["YijiaTypeV1"]),
    messages("OTLPTraceV1"),
    messages("TortureV1", ["GoogleProtobuf"]),
    messages("YijiaTypeV1", ["GoogleProtobuf"]),
    messages("MembersV1", ["GoogleProtobuf", "GoogleAPI", "GoogleType", "YijiaTypeV1"]),
    messages("StationsV1", ["GoogleProtobuf", "GoogleAPI", "GoogleType", "YijiaTypeV1"]),
    messages("GatewayV1", ["GoogleProtobuf", "GoogleAPI", "GoogleType", "YijiaTypeV1"]),
    .target(
      name: "ProtobufJSON", dependencies: ["Protobuf", "GoogleProtobuf"], swiftSettings: house),
    .executableTarget(
      name: "protoc-gen-yijia", dependencies: ["Protobuf", "GoogleProtobuf"],
      swiftSettings: house),

    // The runtime.
    .target(name: "HTTP2", dependencies: ["CNghttp2"], swiftSettings: guarded),
    .target(name: "Compression", dependencies: ["CZlib"], swiftSettings: guarded),
    .target(
      name: "QRCode", dependencies: ["CQRencode", "Compression"], swiftSettings: guarded),
    .target(
      name: "RPC", dependencies: ["Compression", logging, metrics, tracing, collections],
      swiftSettings: house),
    .target(name: "RPCInProcess", dependencies: ["RPC"], swiftSettings: house),
    .target(
      name: "RPCTransport",
      dependencies: [
        "RPC", "HTTP2", nioCore, nioPosix, nioHTTP1, nioTLS, nioSSL, logging,
      ],
      swiftSettings: house),
    .executableTarget(
      name: "rpc-interop-server",
      dependencies: [
        "RPC", "RPCTransport", "Protobuf", "GRPCHealthV1", "GRPCTesting", "ServiceKit",
        arguments,
      ],
      swiftSettings: house),
    .executableTarget(
      name: "rpc-interop-client",
      dependencies: ["RPC", "RPCTransport", "Protobuf", "GRPCTesting", arguments],
      swiftSettings: house),
    .executableTarget(
      name: "rpc-bench-server",
      dependencies: ["RPC", "RPCTransport", "Protobuf", "BenchV1", arguments],
      swiftSettings: house),
    .executableTarget(
      name: "rpc-bench-client",
      dependencies: ["RPC", "RPCTransport", "Protobuf", "BenchV1", arguments],
      swiftSettings: house),

    // Storage.
    .target(name: "Storage", dependencies: [crypto], swiftSettings: house),
    .target(
      name: "StorageSQLite",
      dependencies: [
        "Storage", "CSQLite", grdb, .product(name: "GRDBSQLite", package: "GRDB.swift"),
      ],
      swiftSettings: house),
    .target(
      name: "StoragePostgres", dependencies: ["Storage", "CPostgres", collections],
      swiftSettings: house),

    // The choice between them, for mains and tests.
    .target(
      name: "StorageEngines", dependencies: ["Storage", "StorageSQLite", "StoragePostgres"],
      swiftSettings: house),

    .executableTarget(
      name: "storage-bench", dependencies: ["Storage", "StorageEngines"], swiftSettings: house),

    // What every service has.
    .target(
      name: "ServiceKit",
      dependencies: [
        "RPC", "Protobuf", "GoogleProtobuf", "GoogleAPI", "GoogleRPC", "GoogleType", "GRPCHealthV1",
        "GRPCReflectionV1", "GRPCReflectionV1alpha", "OperationsV1", "OTLPTraceV1", "YijiaTypeV1",
        "Storage", crypto, logging, metrics, tracing, yams,
      ],
      swiftSettings: house),

    // What the mains of the services behind the gateway share.
    .target(
      name: "ServiceMain",
      dependencies: ["RPC", "RPCTransport", "ServiceKit", "Storage", "StorageEngines", logging],
      swiftSettings: house),

    .testTarget(
      name: "ProtobufTests",
      dependencies: [
        "Protobuf", "ProtobufJSON", "GoogleProtobuf", "TortureV1", "protoc-gen-yijia",
        "torture-agree",
      ],
      swiftSettings: house),
    // The Swift half of Tests/Torture/agree.py.
    .executableTarget(
      name: "torture-agree",
      dependencies: ["Protobuf", "ProtobufJSON", "GoogleProtobuf", "TortureV1"],
      path: "Tests/Torture", exclude: ["agree.py", "json_agree.py"], swiftSettings: house),
    .testTarget(name: "CompressionTests", dependencies: ["Compression"], swiftSettings: house),
    .testTarget(
      name: "QRCodeTests", dependencies: ["QRCode", "Compression"], swiftSettings: house),
    .testTarget(name: "HTTP2Tests", dependencies: ["HTTP2"], swiftSettings: house),
    .testTarget(
      name: "RPCTests",
      dependencies: [
        "RPC", "RPCInProcess", "RPCTransport", "HTTP2", "TestWaiting", nioCore, nioPosix, nioSSL,
        x509, asn1, crypto, logging,
      ],
      swiftSettings: house),
    // What tests of several targets share.
    .target(name: "TestWaiting", path: "Tests/TestWaiting", swiftSettings: house),
    .target(
      name: "TestStores", dependencies: ["Storage", "StorageEngines"], path: "Tests/TestStores",
      swiftSettings: house),
    .testTarget(
      name: "StorageTests",
      dependencies: [
        "Storage", "StorageSQLite", "StoragePostgres", "TestStores", "TestWaiting", grdb,
      ],
      swiftSettings: house),
    .testTarget(
      name: "ServiceKitTests",
      dependencies: [
        "ServiceKit", "RPC", "RPCInProcess", "Protobuf", "GoogleProtobuf", "GoogleRPC",
        "GRPCHealthV1", "GRPCReflectionV1", "GRPCReflectionV1alpha", "OperationsV1", "OTLPTraceV1",
        "YijiaTypeV1", "Storage", "TestStores", logging, metrics, tracing,
      ],
      swiftSettings: house),
    .testTarget(name: "TidyTests", swiftSettings: house),

    // The example of docs/guide.md, and the test that holds the two together.
    .executableTarget(
      name: "greeter",
      dependencies: [
        "RPC", "RPCTransport", "Protobuf", "GoogleProtobuf", "GoogleRPC", "GreeterV1", logging,
      ],
      path: "examples/greeter", swiftSettings: house),
    // The example of docs/partners.md, run by Tests/Integration.
    .executableTarget(
      name: "partner",
      dependencies: [
        "RPC", "RPCTransport", "Protobuf", "ProtobufJSON", "GoogleProtobuf", "GoogleRPC",
        "GoogleType", "MembersV1", "YijiaTypeV1",
      ],
      path: "examples/partner", exclude: ["partner.py", "partner.sh", "people.ndjson"],
      swiftSettings: house),
    .testTarget(
      name: "GuideTests",
      dependencies: [
        "greeter", "partner", "RPC", "RPCInProcess", "RPCTransport", "Protobuf", "GoogleProtobuf",
        "GoogleRPC", "GreeterV1",
      ],
      swiftSettings: house),

    // Fuzzing: the targets, and a test that runs what was found again.
    .target(name: "FuzzCore", path: "Tests/Fuzz/Core", swiftSettings: house),
    .target(
      name: "FuzzRuntime",
      dependencies: [
        "FuzzCore", "HTTP2", "RPC", "Compression", "Protobuf", "ProtobufJSON", "GoogleProtobuf",
        "TortureV1",
      ],
      path: "Tests/Fuzz/Runtime", swiftSettings: house),
    .target(
      name: "FuzzServices",
      dependencies: [
        "FuzzCore", "Protobuf", "GoogleProtobuf", "ServiceKit", "Storage", "YijiaTypeV1", crypto,
      ],
      path: "Tests/Fuzz/Services", swiftSettings: house),
    .testTarget(
      name: "FuzzTests", dependencies: ["FuzzCore", "FuzzRuntime", "FuzzServices"],
      swiftSettings: house),
  ]
    + fuzzers
    + (isRuntimeOnly ? [] : services)
)
if isRuntimeOnly { package.products = [] }
