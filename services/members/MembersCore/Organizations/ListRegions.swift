public import MembersV1
public import RPC
import ServiceKit
import Storage

extension MembersService {
  /// Lists the child regions of a region by code.
  public func listRegions(
    _ request: ListRegionsRequest, context: ServerContext
  ) async throws -> ListRegionsResponse {
    let size = try PageSize.rows(request.pageSize)
    let table = RegionTable.shared
    let parent = request.parent.isEmpty ? "" : try Self.regionCode(request.parent, "parent")
    guard parent.isEmpty || table.isCurrent(parent) else { throw MembersError.regionNotFound }
    let scope = [
      "ListRegions", try context.caller.subject, parent, "\(request.includeRetired)",
      RegionData.version,
    ]
    let codes =
      table.children(of: parent)
      + (request.includeRetired ? table.retiredCodes(within: parent) : [])
    var start = 0
    if case .integer(let place)? = try keys.pages.decode(request.pageToken, scope: scope)?.first {
      start = min(max(0, Int(place)), codes.count)
    }
    let end = min(start + size, codes.count)
    var response = ListRegionsResponse()
    response.regions = codes[start..<end].compactMap { table.message(of: $0) }
    response.tableVersion = RegionData.version
    if end < codes.count { response.nextPageToken = try keys.pages.encode([end], scope: scope) }
    return response
  }

  /// Returns the code in a region's resource name.
  static func regionCode(_ name: String, _ field: String) throws(FieldFailure) -> String {
    let code = name.dropFirst("regions/".count)
    guard name.hasPrefix("regions/"), [6, 9].contains(code.utf8.count),
      code.utf8.allSatisfy(\.isASCIIDigit)
    else {
      throw FieldFailure(
        field: field, reason: name.isEmpty ? "REQUIRED" : "INVALID_NAME",
        text: LocalizedText(
          zh: "应为 regions/ 加 6 位或 9 位代码。",
          en: "must be regions/ and a code of 6 or 9 digits."))
    }
    return String(code)
  }
}

extension RegionTable {
  /// Returns a region in force or a retired one; `nil` if the code never existed.
  func message(of code: String) -> Region? {
    var region = Region()
    region.name = "regions/\(code)"
    region.code = code
    if let name = name(of: code) {
      region.displayName = name
      region.level = level(of: code)
      region.parent = parent(of: code).map { "regions/\($0)" } ?? ""
      return region
    }
    guard let retired = retiredRegion(code) else { return nil }
    region.displayName = retired.name
    region.retired = true
    region.firstYear = Int32(retired.years.lowerBound)
    region.lastYear = Int32(retired.years.upperBound)
    region.successor = retired.successor.map { "regions/\($0)" } ?? ""
    return region
  }

  private func level(of code: String) -> RegionLevel {
    if code.utf8.count == 9 { return .township }
    if code.hasSuffix("0000") { return .province }
    return code.hasSuffix("00") ? .city : .county
  }
}
