import MembersV1
import ServiceKit

/// The regions of a validated application.
extension EnrollmentApplication {
  /// The given areas in routing order: work, residence, domicile.
  var givenAreas: [Area] {
    let areas = areas ?? Areas()
    return [
      (areas.work, LocalizedText(zh: "工作地", en: "work area")),
      (areas.residence, LocalizedText(zh: "居住地", en: "residence")),
      (areas.domicile, LocalizedText(zh: "户籍地", en: "domicile")),
    ].compactMap { $0.0.isEmpty ? nil : Area(code: $0.0, label: $0.1) }
  }

  /// The regions in which a receiver may be located.
  var candidateRegionCodes: [String] {
    givenAreas.flatMap(\.regionCodes).unique
  }

  /// The regions whose settings apply: those of the first given area.
  var settingRegionCodes: [String] {
    givenAreas.first?.regionCodes.filter { $0.utf8.count == 6 } ?? []
  }

  /// An area of a person.
  struct Area: Sendable, Hashable {
    /// The region code of 6, 9 or 12 digits.
    let code: String
    let label: LocalizedText

    var village: String? { code.utf8.count == 12 && !code.hasSuffix("000") ? code : nil }
    var township: String? { code.utf8.count >= 9 ? String(digits(9)) : nil }
    var county: String { String(digits(6)) }
    var city: String { digits(4) + "00" }
    var province: String { digits(2) + "0000" }

    /// The region and those that contain it, smallest first.
    var regionCodes: [String] {
      ([village, township].compactMap { $0 } + [county, city, province]).unique
    }

    /// The first digits, as bytes: finding the boundaries of characters took a fiftieth of an
    /// enrollment.
    private func digits(_ count: Int) -> Substring { Substring(code.utf8.prefix(count)) }
  }
}

extension [String] {
  /// The elements without duplicates, in their order. For a few elements, which a set would slow.
  fileprivate var unique: [String] {
    reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }
}
