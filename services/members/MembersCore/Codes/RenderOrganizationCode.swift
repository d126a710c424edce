public import MembersV1
import QRCode
public import RPC
import ServiceKit
import Storage

extension MembersService {
  private static let modulePixels = 8

  /// Renders a valid code as text, link or QR code.
  public func renderOrganizationCode(
    _ request: RenderOrganizationCodeRequest, context: ServerContext
  ) async throws -> RenderOrganizationCodeResponse {
    var checks = FieldChecks()
    let id = checks.resource(request.name, of: "organizationCodes", "name")
    let format = request.format == .unspecified ? .png : request.format
    if !CodeFormat.allCases.contains(format) { checks.add([.invalidValue("format")]) }
    let pixels = request.modulePixels == 0 ? Self.modulePixels : Int(request.modulePixels)
    if !Symbol.modulePixels.contains(pixels) {
      checks.add(
        "module_pixels", "OUT_OF_RANGE",
        LocalizedText(zh: "每个码元应为 1 至 32 像素。", en: "must be 1 to 32."))
    }
    try checks.check()
    let (scope, code, organization) = try await database.read(
      StaffScope.query(of: try context.caller), CodeStore.byID(id ?? ""),
      OrganizationStore.byCode(id ?? ""))
    guard let code, let organization else { throw MembersError.codeNotFound }
    guard scope.holds(organization.path) else { throw CommonFailure.outOfScope }
    try code.check(at: clock.microseconds)
    return try rendered(message(of: code), format, modulePixels: pixels)
  }

  private func rendered(
    _ code: OrganizationCode, _ format: CodeFormat, modulePixels: Int
  ) throws -> RenderOrganizationCodeResponse {
    if format == .link, code.link.isEmpty { throw MembersError.noCodeLink }
    let scanned = code.link.isEmpty ? code.text : code.link
    var response = RenderOrganizationCodeResponse()
    switch format {
    case .svg:
      response.content = Array(try Symbol(scanned).svg(modulePixels: modulePixels).utf8)
      response.contentType = "image/svg+xml"
    case .png:
      response.content = try Symbol(scanned).png(modulePixels: modulePixels)
      response.contentType = "image/png"
    default:
      response.content = Array((format == .link ? code.link : code.text).utf8)
      response.contentType = "text/plain; charset=utf-8"
    }
    return response
  }

  /// Returns a code's message including text and link.
  func message(of code: StoredCode) -> OrganizationCode {
    let text = OrganizationCodeText(id: code.id).text(signedBy: keys.codes)
    return code.message(
      text: text, link: configuration.codeLink.isEmpty ? "" : configuration.codeLink + text)
  }
}
