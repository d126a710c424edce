import MembersV1

/// An invented person, determined by a number. The identity numbers are formally valid (GB 11643);
/// different numbers give different identity numbers, phones and names.
struct InventedPerson {
  private static let surnames = Array("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕")
  private static let given = Array("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂兰建国海波志文晓东春梅玉华立新宝山云")
  private static let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
  /// Birthdays: 28 days per month, 33 years from 1968 on, so that no calendar is needed.
  private static let birthdays = 28 * 12 * 33
  /// Lower sequences belong to the example roster.
  private static let firstSequence = 700

  let name: String
  let residentID: String
  let phone: String

  /// - Parameters:
  ///   - number: 0 to 1,000,000.
  ///   - region: The first six digits of the identity number.
  init(_ number: Int, bornIn region: String) {
    let birthday = number % Self.birthdays
    let again = number / Self.birthdays
    let (year, month, day) = (1968 + birthday / 336, birthday % 336 / 28 + 1, birthday % 28 + 1)
    let body = region + "\(year * 10_000 + month * 100 + day)" + "\(Self.firstSequence + again)"
    let sum = zip(body, Self.weights).reduce(0) { $0 + ($1.0.wholeNumberValue ?? 0) * $1.1 }
    residentID = body + String(Array("10X98765432")[sum % 11])
    phone = "159" + String(String(100_000_000 + number).suffix(8))
    // People with the same birthday have different names.
    let word = [
      Self.surnames[number % Self.surnames.count],
      Self.given[(birthday + again) % Self.given.count],
      Self.given[number / 7 % Self.given.count],
    ]
    name = String(word)
  }
}
