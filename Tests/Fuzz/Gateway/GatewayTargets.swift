import Foundation
public import FuzzCore
import GatewayCore
import ProtobufJSON
import RPC

extension FuzzTarget {
  /// The targets of the gateway's edge, in the order of the report.
  public static let gateway: [FuzzTarget] = [.http1, .pathTemplates, .targets]

  /// Path templates of contracts: a valid one is written and parsed again to the same value.
  static let pathTemplates = FuzzTarget(name: "path-templates") { bytes in
    let text = String(decoding: bytes, as: UTF8.self)
    guard let template = try? PathTemplate(text) else { return }
    let again = try unfailing("what was written reads: \(template)") {
      try PathTemplate("\(template)")
    }
    try require(again == template, "\(template) is the same as \(text)")
    for variable in template.variables {
      try require(
        !variable.field.isEmpty && !variable.segments.isEmpty
          && variable.segments.upperBound <= template.segments.count,
        "a variable lies in the template")
    }
  }

  /// Request targets, path and query, against the contracts: any input is refused with a failure of
  /// the gateway or parsed, and a parsed one is parsed again to the same value.
  static let targets = FuzzTarget(name: "targets") { bytes in
    guard let codec, let routes else { throw FuzzFinding("the contracts are known") }
    var input = InputReader(bytes)
    let verb = ["GET", "POST", "PATCH", "DELETE"][Int(input.byte() & 3)]
    let isCustom = input.byte() & 1 == 1
    let rest = String(decoding: input.rest(), as: UTF8.self)
    // Half of the inputs start where the routes are.
    let target = isCustom ? rest : "/v1/" + rest
    if let path = RequestPath(target.prefix { $0 != "?" }[...]) {
      try require(path.segments.allSatisfy { !$0.isEmpty }, "no segment is empty")
      let escaped = "/" + path.segments.map(escape).joined(separator: "/")
      let again = RequestPath(escaped[...])
      try require(again?.segments == path.segments, "\(escaped) is the same as \(target)")
    }
    let head = RequestHead(fields: [":method": verb, ":path": target])
    guard let request = try? JSONRequest(head, routes) else { return }
    guard let wire = try? request.wire([], codec) else { return }
    _ = try unfailing("what was read is a message") {
      try codec.mapping.json(fromWire: wire, of: request.route.input)
    }
  }

  private static let codec = try? JSONCodec(Contract.all)
  private static let routes = codec.flatMap {
    try? HTTPRoutes(contracts: Contract.all, registry: $0.mapping.registry)
  }

  /// Escapes every byte except letters and digits.
  private static func escape(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
  }
}
