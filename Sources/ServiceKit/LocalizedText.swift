/// Language of a message to people.
public enum Language: Sendable, Hashable, CaseIterable {
  /// Simplified Chinese, the default.
  case chinese
  /// English, where the caller prefers it.
  case english

  /// The best of the two for an `accept-language` value (RFC 9110, 12.5.4); Chinese where neither
  /// is asked for. At most 16 ranges are looked at: the value comes from outside.
  public init(acceptLanguage: String?) {
    var best = (weight: 0.0, language: Language.chinese)
    for range in (acceptLanguage ?? "").split(separator: ",").prefix(16) {
      let parts = range.split(separator: ";").map { $0.trimming { $0 == " " || $0 == "\t" } }
      guard let tag = parts.first?.lowercased() else { continue }
      let primary = tag.prefix { $0 != "-" }
      guard primary == "en" || primary == "zh" else { continue }
      var weight = 1.0
      for parameter in parts.dropFirst() where parameter.hasPrefix("q=") {
        weight = Double(parameter.dropFirst(2)) ?? 0
      }
      if weight > best.weight { best = (weight, primary == "en" ? .english : .chinese) }
    }
    self = best.language
  }

  /// BCP 47 tag, as `google.rpc.LocalizedMessage` wants it.
  public var tag: String { self == .chinese ? "zh-CN" : "en" }
}

/// One message in both languages.
public struct LocalizedText: Sendable, Hashable {
  /// The Chinese text, with full-width punctuation.
  public var zh: String
  /// The English text.
  public var en: String

  /// Creates a message of both texts, which say the same.
  public init(zh: String, en: String) {
    self.zh = zh
    self.en = en
  }

  /// The message in `language`.
  public func text(in language: Language) -> String { language == .chinese ? zh : en }
}

extension Substring {
  fileprivate func trimming(while drop: (Character) -> Bool) -> Substring {
    var slice = self.drop(while: drop)
    while let last = slice.last, drop(last) { slice = slice.dropLast() }
    return slice
  }
}
