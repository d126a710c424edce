/// The Chinese texts of what is wrong with a JSON text: ProtobufJSON has English ones only.
enum JSONReason {
  /// Returns the Chinese text of a reason; a general one for a reason that is not in the table.
  static func chinese(_ reason: String) -> String {
    if let text = texts[reason] { return text }
    if let text = rest(of: reason[...], behind: "expected ").flatMap(expectation) {
      return "应为\(text)"
    }
    if let example = rest(of: reason[...], behind: "give its fields, such as ") {
      return "请分别给出其中各字段，例如 \(example)"
    }
    if let (place, fault) = placed(reason) { return "\(place)：\(chinese(fault))" }
    return "不符合接口说明"
  }

  /// What follows `start`, if the text begins with it. A regular expression would be compiled for
  /// each of a hundred wrong fields.
  private static func rest(of text: Substring, behind start: String) -> Substring? {
    text.hasPrefix(start) ? text.dropFirst(start.count) : nil
  }

  /// Splits `line 2, byte 7: fault` and `byte 7: fault`.
  private static func placed(_ reason: String) -> (place: String, fault: String)? {
    let parts = reason.split(separator: ": ", maxSplits: 1)
    guard parts.count == 2 else { return nil }
    var place = ""
    for word in parts[0].split(separator: ", ") {
      if let number = rest(of: word, behind: "line ") {
        place += "第 \(number) 行"
      } else if let number = rest(of: word, behind: "byte ") {
        place += "第 \(number) 字节"
      } else {
        return nil
      }
    }
    return (place, String(parts[1]))
  }

  private static let texts = [
    "no such field": "没有这个字段",
    "is given twice": "重复给出",
    "is too deep": "层级过深",
    "can only be given in a body": "只能在请求体中给出",
    "takes one value": "只能有一个值",
    "has no fields within it": "其中没有字段",
    "the text is not UTF-8": "文本不是 UTF-8 编码",
    "something follows the value": "值之后还有多余内容",
    "too many wrong fields; the rest was not looked at": "错误字段过多，其余未检查",
    "messages lie too deep": "嵌套过深",
    "lists and objects lie too deep": "嵌套过深",
    "null is no element of a list": "列表的元素不能是 null",
    "the key occurs twice": "键重复",
    "the field occurs twice": "字段重复",
    "another field of the same choice is set": "同一组字段只能给出一个",
    "the text ends where a value is expected": "文本在应有值处结束",
    "the text ends within a string": "文本在字符串中间结束",
    "a control character in a string must be escaped": "字符串中的控制字符须转义",
    "unknown escape in a string": "字符串中有未知的转义",
    "half of a surrogate pair": "代理对不完整",
  ]

  private static let expectations = [
    "true or false": " true 或 false",
    "a number": "数值",
    "a number of 64 bits": " 64 位数值",
    "a string": "字符串",
    "a string in base64": " base64 字符串",
    "an object": "对象",
    "a list": "列表",
    "a value": "一个值",
    "a digit": "数字",
    "a name in quotes": "带引号的名称",
    "four hexadecimal digits": "四位十六进制数字",
    "the key true or false": "键 true 或 false",
    "an integer of 64 bits": " 64 位整数",
    "null": " null", "true": " true", "false": " false",
  ]

  private static func expectation(_ text: Substring) -> String? {
    if let known = expectations[String(text)] { return known }
    if let bounds = rest(of: text, behind: "an integer of ")?.split(separator: " to "),
      bounds.count == 2
    {
      return " \(bounds[0]) 至 \(bounds[1]) 的整数"
    }
    if let key = rest(of: text, behind: "a key that is ") {
      return expectation(key).map { "键，且为\($0)" }
    }
    if let values = rest(of: text, behind: "one of ") {
      return "以下之一：" + values.replacing(", ", with: "、")
    }
    if let type = rest(of: text, behind: "a value of ") { return " \(type) 的取值" }
    if let time = rest(of: text, behind: "a time such as ") { return "时间，例如 \(time)" }
    if let time = rest(of: text, behind: "a duration such as ") { return "时长，例如 \(time)" }
    if let paths = rest(of: text, behind: "paths such as ") { return "字段路径，例如 \(paths)" }
    // Marks, such as "," or "@type".
    let mark = rest(of: text, behind: "one ") ?? text
    let isMark = mark.count > 2 && mark.hasPrefix("\"") && mark.hasSuffix("\"")
    return isMark ? " \(mark)" : nil
  }
}
