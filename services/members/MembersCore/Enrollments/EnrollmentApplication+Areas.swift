import MembersV1
import ServiceKit

/// The regions of an application whose fields were checked.
extension EnrollmentApplication {
  /// The areas given, in the order in which routing looks at them: work, residence, domicile.
  var givenAreas: [Area] {
    let areas = areas ?? Areas()
    return [
      (areas.work, LocalizedText(zh: "工作地", en: "work area")),
      (areas.residence, LocalizedText(zh: "居住地", en: "residence")),
      (areas.domicile, LocalizedText(zh: "户籍地", en: "domicile")),
    ].compactMap { $0.0.isEmpty ? nil : Area(code: $0.0, label: $0.1) }
  }

  /// Every region in which a receiver may stand.
  var candidateRegionCodes: [String] {
    var seen: Set<String> = []
    return givenAreas.flatMap(\.regionCodes).filter { seen.insert($0).inserted }
  }

  /// Regions whose settings count: of the first area given.
  var settingRegionCodes: [String] { givenAreas.first?.regionCodes.filter { $0.count == 6 } ?? [] }

  /// An area that a person has to do with.
  struct Area: Sendable, Hashable {
    /// 6, 9 or 12 digits.
    let code: String
    let label: LocalizedText

    var village: String? { code.count == 12 && !code.hasSuffix("000") ? code : nil }
    var township: String? { code.count >= 9 ? String(code.prefix(9)) : nil }
    var county: String { String(code.prefix(6)) }
    var city: String { code.prefix(4) + "00" }
    var province: String { code.prefix(2) + "0000" }

    /// The regions that it lies in, the narrowest first.
    var regionCodes: [String] {
      var seen: Set<String> = []
      return ([village, township].compactMap { $0 } + [county, city, province])
        .filter { seen.insert($0).inserted }
    }
  }
}
