import GoogleProtobuf

/// Generates a service: the protocol for servers, its methods, and a client.
struct SwiftService {
  private let proto: ServiceDescriptorProto
  private let file: File
  private let path: [Int32]
  private let schema: Schema
  private let types: SwiftTypes

  init(_ index: Int, of file: File, _ schema: Schema, _ types: SwiftTypes) {
    proto = file.proto.service[index]
    self.file = file
    path = [6, Int32(index)]
    self.schema = schema
    self.types = types
  }

  /// An RPC with its Swift names.
  private struct Method {
    let proto: MethodDescriptorProto
    let name: String
    let input: String
    let output: String
    let comment: [String]

    var kind: String {
      switch (proto.clientStreaming, proto.serverStreaming) {
      case (false, false): "unary"
      case (true, false): "clientStreaming"
      case (false, true): "serverStreaming"
      case (true, true): "bidirectionalStreaming"
      }
    }
  }

  private var methods: [Method] {
    proto.method.enumerated().map { index, method in
      Method(
        proto: method, name: Names.method(method.name), input: typeName(method.inputType),
        output: typeName(method.outputType), comment: file.comments[path + [2, Int32(index)]])
    }
  }

  private func typeName(_ name: String) -> String {
    schema.messages[String(name.drop { $0 == "." })].map { types.name(of: $0) } ?? name
  }

  private func rpc(_ name: String) -> String { types.library(name, "RPC") }

  func declare(_ out: inout Writer) {
    let methods = methods
    declareProtocol(methods, &out)
    declareDefaults(methods, &out)
    declareMethods(methods, &out)
    declareClient(methods, &out)
  }

  /// Returns the signature of a handler. It runs on its caller's executor, which saves a switch per
  /// call.
  private func signature(_ method: Method) -> String {
    let input =
      method.proto.clientStreaming
      ? "_ requests: \(rpc("RequestStream"))<\(method.input)>" : "_ request: \(method.input)"
    let context = "context: \(rpc("ServerContext"))"
    if method.proto.serverStreaming {
      return "nonisolated(nonsending) func \(method.name)(\n    \(input), "
        + "responses: \(rpc("ResponseWriter"))<\(method.output)>,\n    \(context)\n"
        + "  ) async throws"
    }
    return "nonisolated(nonsending) func \(method.name)(\n    \(input), \(context)\n"
      + "  ) async throws -> \(method.output)"
  }

  private func declareProtocol(_ methods: [Method], _ out: inout Writer) {
    out.line()
    out.documentation(file.comments[path])
    out.block("public protocol \(proto.name)Protocol: \(rpc("RPCService"))") { out in
      for (index, method) in methods.enumerated() {
        if index > 0 { out.line() }
        out.documentation(method.comment)
        out.line(signature(method))
      }
    }
  }

  private func declareDefaults(_ methods: [Method], _ out: inout Writer) {
    out.line()
    out.block("extension \(proto.name)Protocol") { out in
      out.line("/// The service's RPCs, for a router.")
      out.block("public var methods: [\(rpc("MethodHandler"))]") { out in
        out.block("[", "]") { out in
          for method in methods {
            let descriptor = "\(proto.name)Methods.\(method.name)"
            let call =
              method.proto.serverStreaming
              ? "{ try await self.\(method.name)($0, responses: $1, context: $2) }"
              : "{ try await self.\(method.name)($0, context: $1) }"
            out.block(".\(method.kind)(", "),") { out in
              out.line("\(descriptor),")
              out.line("\(call)")
            }
          }
        }
      }
      for method in methods {
        out.line()
        out.line("/// UNIMPLEMENTED, until the service has it.")
        out.block("public " + signature(method)) { out in
          out.line("throw \(rpc("RPCError"))(.unimplemented, \"\(method.proto.name)\")")
        }
      }
    }
  }

  private func declareMethods(_ methods: [Method], _ out: inout Writer) {
    let descriptor = rpc("MethodDescriptor")
    let service =
      file.proto.package.isEmpty ? proto.name : "\(file.proto.package).\(proto.name)"
    out.line()
    out.line("/// How the RPCs of \(service) are called.")
    out.block("public enum \(proto.name)Methods") { out in
      for method in methods {
        out.block("public static let \(method.name) = \(descriptor)(", ")") { out in
          out.line("service: \"\(service)\", name: \"\(method.proto.name)\", kind: .\(method.kind)")
        }
      }
      out.line()
      out.block("public static let all: [\(descriptor)] = [", "]") { out in
        for method in methods { out.line("\(method.name),") }
      }
    }
  }

  private func declareClient(_ methods: [Method], _ out: inout Writer) {
    let options = rpc("CallOptions")
    out.line()
    out.documentation(file.comments[path])
    out.block("public struct \(proto.name)Client: \(types.library("Sendable"))") { out in
      out.line("private let channel: any \(rpc("Channel"))")
      out.line()
      out.line("public init(_ channel: any \(rpc("Channel"))) { self.channel = channel }")
      for method in methods {
        out.line()
        out.documentation(method.comment)
        let tail = "options: \(options) = \(options)()"
        let arguments =
          method.proto.clientStreaming ? tail : "_ request: \(method.input), \(tail)"
        let given = method.proto.clientStreaming ? "" : ", request"
        let descriptor = "\(proto.name)Methods.\(method.name)"
        out.line("public func \(method.name)(")
        out.line("  \(arguments)")
        out.block(") async throws -> \(result(method))") { out in
          if method.kind == "unary" {
            let response = "\(rpc("ClientResponse"))<\(method.output)>"
            out.line("try await \(response)(")
            out.line("  of: \(descriptor), on: channel\(given), options: options")
            out.line(").message")
          } else {
            out.line("try await channel.\(method.kind)(\(descriptor)\(given), options: options)")
          }
        }
      }
    }
  }

  private func result(_ method: Method) -> String {
    switch method.kind {
    case "unary": method.output
    case "serverStreaming": "\(rpc("ResponseStream"))<\(method.output)>"
    case "clientStreaming": "\(rpc("ClientStreamingCall"))<\(method.input), \(method.output)>"
    default: "\(rpc("BidirectionalCall"))<\(method.input), \(method.output)>"
    }
  }
}
