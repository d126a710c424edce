import Testing

@testable import GatewayCore

@Suite("Chinese texts of what is wrong with a JSON text")
struct JSONReasonTests {
  @Test(
    "have the numbers, names and examples of the English ones",
    arguments: [
      ("no such field", "没有这个字段"),
      ("expected true or false", "应为 true 或 false"),
      ("expected an integer of -128 to 127", "应为 -128 至 127 的整数"),
      ("expected an integer of 64 bits", "应为 64 位整数"),
      ("expected a key that is an integer of 0 to 255", "应为键，且为 0 至 255 的整数"),
      ("expected one of READER, EDITOR", "应为以下之一：READER、EDITOR"),
      ("expected a time such as \"2026-01-01T00:00:00Z\"", "应为时间，例如 \"2026-01-01T00:00:00Z\""),
      ("expected one \"@type\"", "应为 \"@type\""),
      ("expected \",\"", "应为 \",\""),
      ("give its fields, such as a.b", "请分别给出其中各字段，例如 a.b"),
      ("byte 7: expected a value", "第 7 字节：应为一个值"),
      ("line 2, byte 7: half of a surrogate pair", "第 2 行第 7 字节：代理对不完整"),
      ("line 2, byte 7: line 3: x", "第 2 行第 7 字节：第 3 行：不符合接口说明"),
      ("something new: with a colon", "不符合接口说明"), ("", "不符合接口说明"),
    ])
  func texts(_ english: String, _ chinese: String) {
    #expect(JSONReason.chinese(english) == chinese)
  }
}
